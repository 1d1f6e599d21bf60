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

    A step is a generation: codes drawn around the row's centre with the standard deviation αᵢ, brought into the
    prior's range, shown to the target, and told to the sampler with their scores. Populations are computed one by one,
    so a row does not depend on those beside it in any precision. Every generation waits for the device.

    Args:
        score: of every row, activations (population, ...) to scores (population,).
        optimiser: partial of a `Sampler` that takes a code and a seed.
        rest: see `Synthesis`; α is the standard deviation of a generation, and all codes of it see the same transform.

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
        self.samplers = [optimiser(code, seed) for code, seed in zip(codes, seeds, strict=True)]

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
        codes = self.prior.apply_to(sampler.ask(self.step_at(i)).to(self.code))
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
        self.code[row] = self.prior.apply_to(sampler.centre[None].to(self.code))[0]
        self.taken[row] += 1

    def _shown(self, pictures: Tensor, row: int, i: int) -> Tensor:
        """What the target sees of a population: the same part of every picture."""
        if i >= self.parts or not self.moved[row]:
            return pictures
        return transforms.transform(pictures, self.maps[i, row].expand(len(pictures), -1, -1), self.outside)
