"""The search without a gradient: a population of codes for each row, generation by generation."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dgn.synthesis import transforms
from dgn.synthesis.evolution import Sampler
from dgn.synthesis.module import Synthesis


class Generations(Synthesis):
    """argmax over y of h(G(y)) from scores alone, for a batch of rows, each with a `Sampler` of its own.

    A step is a generation: codes drawn around the row's centre for a step αᵢ, in the prior's range, shown to the
    target, and told to the sampler with their scores. Populations are computed one by one,
    so a row does not depend on those beside it in any precision. Every generation waits for the device.

    Args:
        score: of every row, activations (population, ...) to scores (population,).
        optimiser: partial of a `Sampler` that takes a code, a seed and the prior's range.
        rest: see `Synthesis`; α is the sampler's step, and all codes of a generation see the same transform.

    Attributes:
        code: (N, *code_shape) the centres.
        curve: (steps, N) the highest score of each generation, NaN from a row's end on.
        alive: (N,) False once a row had too few finite scores.
        best: the code with the highest score so far.
    """

    def __init__(
        self,
        *,
        score: Sequence[Callable[[Tensor], Tensor]],
        optimiser: Callable[..., Sampler],
        codes: Tensor,
        seeds: Sequence[int],
        **rest: Any,
    ) -> None:
        scores: Any = nn.ModuleList(score)  # type: ignore[arg-type]
        super().__init__(score=scores, optimiser=optimiser, codes=codes, seeds=seeds, **rest)
        self.samplers = [optimiser(code, seed, self._limit) for code, seed in zip(codes, seeds, strict=True)]

    def configure_optimizers(self) -> Any:
        return []

    @torch.no_grad()
    def training_step(self, batch: Tensor, i: int) -> Tensor:
        self.before = self.code.detach().clone()
        for row, sampler in enumerate(self.samplers):
            if self.alive[row]:
                self._generation(row, sampler, i)
        return self.curve[i]

    def _generation(self, row: int, sampler: Sampler, i: int) -> None:
        codes = sampler.ask(self.step_at(i)).to(self.code)
        scores: Tensor = self.score[row](self.target(self._shown(self.generator(codes), row, i)))  # type: ignore[index]
        there = torch.isfinite(scores)
        self.alive[row] = there.sum() >= sampler.fewest
        if not self.alive[row]:
            return
        codes, scores = codes[there], scores[there]
        sampler.tell(codes.float().cpu(), scores.float().cpu())
        highest = scores.argmax()
        self.curve[i, row] = scores[highest]
        if scores[highest] > self.highest[row]:
            self.highest[row], self.best[row] = scores[highest], codes[highest]
        self.code[row] = sampler.centre.to(self.code)
        self.taken[row] += 1

    def _limit(self, codes: Tensor) -> Tensor:
        """Codes on the CPU in the prior's range, which is where the module is."""
        return self.prior.apply_to(codes.to(self.code)).cpu()

    def _shown(self, pictures: Tensor, row: int, i: int) -> Tensor:
        """What the target sees of a population: the same part of every picture."""
        if i >= self.parts or not self.moved[row]:
            return pictures
        return transforms.transform(pictures, self.maps[i, row].expand(len(pictures), -1, -1), self.outside)
