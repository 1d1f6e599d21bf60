"""Synthesis: the code is the only parameter, and every row climbs its own unit's score."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from dgn.networks.features import Features
from dgn.synthesis.transforms import view


class Synthesis(pl.LightningModule):
    """A batch of rows through G and the target, one gradient step of every code per iteration (paper, section 2).

    Args:
        generator: G, frozen, in eval mode.
        target: the network under study, read at the units' layer.
        score: activation (N, ...) to scores (N,), row i by its own unit.
        prior: pulls codes back, `apply_to`, and says which way is up, `uphill`.
        codes: the starts, (N, *code_shape).
        optimiser: partial of an optimizer that takes parameters and `lr` and climbs.
        step, end: the learning rate falls linearly from `step` to `end`, in absolute numbers of the code.
        steps: iterations.
        moves: strength of the transforms (`dgn.synthesis.transforms`) between the picture and the target; 0: none.
        whole: share of the steps, the last, in which the target sees the picture as it is: a thing that is known in
            all its parts may not be in the whole, which is what is shown.
        render: "last" shows the final code, "before_last_step" the one before its last update, as released.

    Attributes:
        curve: (steps, N) the score before each step, NaN from a row's end on.
        alive: (N,) False once a row's gradient was zero or not finite: its code stays where it was.
        taken: (N,) steps taken.
    """

    curve: Tensor
    alive: Tensor
    taken: Tensor
    before: Tensor

    def __init__(
        self,
        *,
        generator: nn.Module,
        target: Features,
        score: Callable[[Tensor], Tensor],
        prior: Any,
        codes: Tensor,
        optimiser: Callable,
        step: float,
        end: float,
        steps: int,
        moves: float,
        whole: float,
        render: str,
    ) -> None:
        super().__init__()
        self.code = nn.Parameter(codes)
        self.generator, self.target, self.score, self.prior = generator, target, score, prior
        self.optimiser, self.step_size, self.end, self.steps = optimiser, step, end, steps
        self.moves, self.parts, self.render = moves, steps - round(whole * steps), render
        self.register_buffer("curve", codes.new_full((steps, len(codes)), float("nan")))
        self.register_buffer("alive", torch.ones(len(codes), dtype=torch.bool))
        self.register_buffer("taken", torch.zeros(len(codes), dtype=torch.long))
        self.register_buffer("before", codes.clone())
        self.automatic_optimization = False

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimiser([self.code], lr=self.step_size)

    def training_step(self, batch: Tensor, i: int) -> Tensor:
        optimiser: Any = self.optimizers()
        for group in optimiser.param_groups:
            group["lr"] = self.step_size + (self.end - self.step_size) * i / self.steps
        moves = self.moves if i < self.parts else 0
        score = self.score(self.target(view(self.generator(self.code), moves, i)))
        (gradient,) = torch.autograd.grad(score.sum(), self.code)
        self._climb(optimiser, self.prior.uphill(gradient), score.detach(), i)
        return score.detach()

    @torch.no_grad()
    def _climb(self, optimiser: Any, gradient: Tensor, score: Tensor, i: int) -> None:
        """Step the rows that are alive; masks instead of indices, so that nothing waits for the device."""
        rows = (-1, *[1] * (self.code.ndim - 1))
        flat = gradient.flatten(1)
        self.alive &= torch.isfinite(flat).all(1) & flat.any(1) & torch.isfinite(score)
        self.curve[i] = torch.where(self.alive, score, self.curve[i])
        self.before = self.code.detach().clone()
        self.code.grad = torch.where(self.alive.view(rows), gradient, 0)
        optimiser.step()
        self.code.copy_(torch.where(self.alive.view(rows), self.prior.apply_to(self.code), self.before))
        self.taken += self.alive

    @torch.no_grad()
    def images(self) -> Tensor:
        """The rows' pictures, (N, 3, H, W), in [0, 1] where G keeps to it."""
        code = self.before if self.render == "before_last_step" else self.code
        return self.generator(code)
