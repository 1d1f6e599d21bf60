"""The method: gradient ascent with the code as the only parameter; each row maximises the score of its own unit."""

from collections.abc import Callable, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from dgn.base import images
from dgn.generators.base import Generator
from dgn.networks.features import Features
from dgn.synthesis import transforms
from dgn.synthesis.priors import Prior, Step
from dgn.synthesis.transforms import Transforms
from dgn.units.turns import Turns

FP16_SCALE = 1024.0  # fp16 ends at 6e-8, and gradients at pixels are about 1e-3 of a score


class Synthesis(pl.LightningModule):
    """DGN-AM (Nguyen et al. 2016, section 2): argmax over y of h(G(y)) − λ‖y‖, for a batch of rows at once.

    h is the score of a row's unit at the target's layer, G the generator, y the code. Iteration i of n does, in this
    order, for every row by itself:

        score     s = h(T(G(y)))                T: the part of the picture that the target sees, in the last steps
                                                the whole (not in the paper: `transforms`)
        gradient  g = P(∂s/∂y)                  P: the identity, or along the axes of real codes (not in the paper:
                                                `Ellipsoid.uphill`; other methods add a term: `regularisers`, `ppgn`)
        step      y ← y + αᵢ · g / mean|g|      αᵢ = α₀ + (α_end − α₀) · i / n (released code: `NormalisedGradient`)
        range     y ← clip(y, 0, mean + 3 std)  section 2: every element stays where real codes are (`priors`)
        decay     y ← y · 0.99                  the released stand-in for the gradient of −λ‖y‖ (`shrink`)

    The picture is G(y) at the end.

    Ranges of the numbers: `dgn.synthesis.settings.AscentSettings`.

    Args:
        generator: G, frozen, in eval mode.
        target: the network under study, read at the units' layer.
        score: h: activation (N, ...) to scores (N,), row i by its own unit.
        prior: P, range and decay: `uphill` and `after`, see `priors`.
        codes: the initial codes, (N, *code_shape).
        seeds: one a row; the transforms are drawn from them.
        views: the transforms.
        optimiser: partial of an optimizer that takes parameters and `lr` and climbs.
        step, end: α₀ and α_end, in absolute numbers of the code.
        steps: n.
        moves: strength of the transforms, one per row, see `transforms`; 0 is off.
        whole: share of the steps, at the end, in which the target sees the whole picture: recognisable parts need not
            make a recognisable whole, and the whole is what is shown.
        render: "last" shows the final code, "before_last_step" the one before its last update, as released, "best"
            the one with the highest score on the way, "first" the initial one.

    Attributes:
        curve: (steps, N) the score before each step, NaN from a row's end on.
        alive: (N,) False once a row's gradient was zero or not finite: its code stays where it was.
        taken: (N,) steps taken.
    """

    curve: Tensor
    alive: Tensor
    taken: Tensor
    before: Tensor
    first: Tensor
    best: Tensor
    highest: Tensor
    maps: Tensor
    moved: Tensor

    def __init__(
        self,
        *,
        generator: Generator,
        target: Features,
        score: Callable[[Tensor], Tensor],
        prior: Prior,
        codes: Tensor,
        seeds: Sequence[int],
        views: Transforms,
        optimiser: Callable,
        step: float,
        end: float,
        steps: int,
        moves: Sequence[float],
        whole: float,
        render: str,
    ) -> None:
        super().__init__()
        self.code = nn.Parameter(codes)
        self.generator, self.target, self.score, self.prior = generator, target, score, prior
        self.optimiser, self.step_size, self.end, self.steps = optimiser, step, end, steps
        self.render, self.parts = render, steps - round(whole * steps) if any(moves) else 0
        self.seeds, self.outside = seeds, views.outside
        # all draws at once, moved to the device with the module: a draw in the loop would wait for it
        self.register_buffer(
            "maps", views.draw(seeds, moves, self.parts, min(images.sides(generator.size))), persistent=False
        )
        self.register_buffer("moved", torch.tensor(moves).view(-1, 1, 1, 1) > 0, persistent=False)
        self.register_buffer("curve", codes.new_full((steps, len(codes)), float("nan")))
        self.register_buffer("alive", torch.ones(len(codes), dtype=torch.bool))
        self.register_buffer("taken", torch.zeros(len(codes), dtype=torch.long))
        self.register_buffer("before", codes.clone())
        self.register_buffer("first", codes.clone())
        self.register_buffer("best", codes.clone())
        self.register_buffer("highest", codes.new_full((len(codes),), float("-inf")))
        self.automatic_optimization = False

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimiser([self.code], lr=self.step_size)

    def training_step(self, batch: Tensor, i: int) -> Tensor:
        pictures = self.generator(self.code)
        if isinstance(self.score, Turns):
            self.score.turn = i
        score = self.score(self.target(self._seen(pictures, i)))
        gradient = self._gradient(score)
        step = Step(i, self.seeds, self.code.detach().clone(), self.first, pictures.detach(), gradient)
        self._climb(step, score.detach())
        return score.detach()

    def _seen(self, pictures: Tensor, i: int) -> Tensor:
        """T: what the target sees of the pictures in step i; those of rows that are not moved to the bit."""
        if i >= self.parts:
            return pictures
        return torch.where(self.moved, transforms.transform(pictures, self.maps[i], self.outside), pictures)

    def _gradient(self, score: Tensor) -> Tensor:
        """∂s/∂y of every row; under fp16 on its way back times a constant, which keeps small numbers from being 0."""
        device = self.code.device.type
        half = torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) is torch.float16
        scale = FP16_SCALE if half else 1.0
        (gradient,) = torch.autograd.grad(scale * score.sum(), self.code)
        return gradient / scale

    @torch.no_grad()
    def _climb(self, step: Step, score: Tensor) -> None:
        """Step, range and decay of the rows that are alive; by masks, so that nothing waits for the device."""
        rows = (-1, *[1] * (self.code.ndim - 1))
        direction = self.prior.uphill(step.gradient, step)
        flat = direction.flatten(1)
        self.alive &= torch.isfinite(flat).all(1) & flat.any(1) & torch.isfinite(score)
        alive = self.alive.view(rows)
        self.curve[step.number] = torch.where(self.alive, score, self.curve[step.number])
        self.before = step.code
        better = self.alive & (score > self.highest)
        self.best = torch.where(better.view(rows), self.before, self.best)
        self.highest = torch.where(better, score, self.highest)
        self.code.grad = torch.where(alive, direction, 0)
        self._optimiser(step.number).step()
        self.code.copy_(torch.where(alive, self.prior.after(self.code, step), self.before))
        self.taken += self.alive

    def step_at(self, i: int) -> float:
        """αᵢ."""
        return self.step_size + (self.end - self.step_size) * i / self.steps

    def _optimiser(self, i: int) -> torch.optim.Optimizer:
        """The optimizer with αᵢ set.

        Not through Lightning's wrapper: its fp16 scaler unscales only gradients that it has scaled itself. Not by
        torch's LinearLR: it multiplies αᵢ₋₁ by a factor, so rounding errors add up, and it needs α_end/α₀ where the
        setting is α_end.
        """
        optimiser: Any = self.optimizers(use_pl_optimizer=False)
        for group in optimiser.param_groups:
            group["lr"] = self.step_at(i)
        return optimiser

    @torch.no_grad()
    def images(self) -> Tensor:
        """The rows' pictures, (N, 3, H, W), in [0, 1] where G keeps to it."""
        shown = {"last": self.code, "before_last_step": self.before, "best": self.best, "first": self.first}
        return self.generator(shown[self.render])
