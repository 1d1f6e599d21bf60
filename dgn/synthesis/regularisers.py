"""Regularisers of pixels: what the methods before trained generators did between the steps of an ascent.

They take codes that are pictures, (N, C, H, W), as `generator=pixels` has them, and keep each pixel between black and
white. All numbers that depend on the scale are those of that code: grey is 0, white 2, so one grey level of 255 is
4 / 255.
"""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import one_hot

from dgn.base.errors import UserError
from dgn.base.typed import NotNegative
from dgn.generators.bundle import Bundle
from dgn.generators.moments import Moments
from dgn.generators.pixels import Pixels
from dgn.synthesis.priors import Box, Prior, Step

Percent = Annotated[float, Field(ge=0, le=100)]


class OfPixels(Prior):
    """The base: each pixel between black and white."""

    def __init__(self, moments: Moments) -> None:
        super().__init__(moments)
        self.box = Box(moments, k=3, lower="auto", shrink=1)

    def fits(self, bundle: Bundle) -> None:
        """UserError for codes that are no pixels."""
        if not isinstance(bundle.generator, Pixels):
            raise UserError("this prior is one of pixels: set generator=pixels")

    def apply_to(self, code: Tensor) -> Tensor:
        return self.box.apply_to(code)

    def at_bound(self, code: Tensor) -> Tensor:
        return self.box.at_bound(code)


class Yosinski(OfPixels):
    """Decay, blur and pruning after each step (Yosinski et al. 2015, section 3; released gradient_optimizer.py).

    In this order: x ← (1 − decay) · x; in every `blur_every`-th step, from the first on, a Gaussian blur; then pixels
    become grey whose norm over the colours, and then those whose contribution |Σ x · ∂s/∂x|, is below a percentile of
    the picture's. The released code clips to the range of pixels before each forward pass, which is the same.

    Args:
        moments: of the code.
        decay: the share that is taken off, in [0, 1].
        blur_radius: the standard deviation of the blur, pixels; 0 is off.
        blur_every: steps from one blur to the next; 0 is off.
        small_norm: percentile of the norm, 0 to 100; 0 is off.
        small_contribution: percentile of the contribution, 0 to 100; 0 is off.
    """

    def __init__(
        self,
        moments: Moments,
        *,
        decay: Annotated[float, Field(ge=0, le=1)],
        blur_radius: NotNegative,
        blur_every: Annotated[int, Field(ge=0)],
        small_norm: Percent,
        small_contribution: Percent,
    ) -> None:
        super().__init__(moments)
        self.decay, self.blur_radius, self.blur_every = decay, blur_radius, blur_every
        self.small_norm, self.small_contribution = small_norm, small_contribution

    @staticmethod
    def describe(  # type: ignore[override]
        moments: Moments,
        what: str = "code",
        *,
        decay: float,
        blur_radius: float,
        blur_every: int,
        small_norm: float,
        small_contribution: float,
    ) -> str:
        """What was done between steps, for the page."""
        done = {
            f"was moved towards grey by the factor {1 - decay:g} after each step": decay,
            f"was blurred by {blur_radius:g} px every {blur_every} steps": blur_radius and blur_every,
            f"lost its pixels of the {small_norm:g} % smallest norms after each step": small_norm,
            f"lost its pixels of the {small_contribution:g} % smallest contributions after each step": (
                small_contribution
            ),
        }
        said = [text for text, value in done.items() if value]
        return f"the {what} was kept between black and white" + "".join(f", and {text}" for text in said)

    def after(self, code: Tensor, step: Step) -> Tensor:
        """The code decayed, blurred, pruned and clipped."""
        code = code * (1 - self.decay)
        if self.blur_radius and self.blur_every and step.number % self.blur_every == 0:
            code = blurred(code, self.blur_radius)
        code = pruned(code, code.norm(dim=1, keepdim=True), self.small_norm)
        contribution = (code * step.gradient).sum(1, keepdim=True).abs()
        return self.apply_to(pruned(code, contribution, self.small_contribution))


class TotalVariation(OfPixels):
    """The gradient of −weight · TV is added to that of the score (Mahendran & Vedaldi 2015, section 2.2).

    TV(x) = Σ (|x(i, j+1) − x(i, j)|² + |x(i+1, j) − x(i, j)|²)^(β/2) over the pixels that have both neighbours, and
    over the colours.

    Args:
        moments: of the code.
        weight: of TV against the score.
        beta: β, 1 or more; 1 is the length of the edges, with kinks that 1e-8 under the root rounds off; larger ones
            prefer smooth slopes.
    """

    def __init__(self, moments: Moments, *, weight: NotNegative, beta: Annotated[float, Field(ge=1)]) -> None:
        super().__init__(moments)
        self.weight, self.beta = weight, beta

    @staticmethod
    def describe(moments: Moments, what: str = "code", *, weight: float, beta: float) -> str:  # type: ignore[override]
        """What was optimised besides the score, for the page."""
        return (f"each pixel was kept between black and white, and {weight:g} times the {what}'s total variation "
                f"(β = {beta:g}) was subtracted from the score")  # fmt: skip

    def uphill(self, gradient: Tensor, step: Step) -> Tensor:
        """The gradient of the score less the weighted total variation."""
        with torch.enable_grad():
            code = step.code.detach().requires_grad_()
            (slope,) = torch.autograd.grad(total_variation(code, self.beta).sum(), code)
        return gradient - self.weight * slope


def total_variation(pictures: Tensor, beta: float) -> Tensor:
    """(N, C, H, W) to (N,), see `TotalVariation`."""
    right = (pictures[..., :-1, 1:] - pictures[..., :-1, :-1]).square()
    down = (pictures[..., 1:, :-1] - pictures[..., :-1, :-1]).square()
    return (right + down + 1e-8).pow(beta / 2).flatten(1).sum(1)


def blurred(pictures: Tensor, radius: float) -> Tensor:
    """(N, C, H, W) after a Gaussian of standard deviation `radius`, cut off at four of them, px; edges are mirrored.

    As `scipy.ndimage.gaussian_filter` does it by default. As two products of matrices, in the pictures' precision.
    """
    with torch.autocast(pictures.device.type, enabled=False):
        down, across = (_blur(side, radius).to(pictures) for side in pictures.shape[2:])
        return down @ pictures @ across.T


def _blur(side: int, radius: float) -> Tensor:
    """The blur of a line of `side` pixels as a matrix, float64."""
    reach = math.floor(4 * radius + 0.5)
    offsets = torch.arange(-reach, reach + 1)
    weight = torch.exp(-0.5 * (offsets.double() / radius) ** 2)
    places = (torch.arange(side)[:, None] + offsets) % (2 * side)  # mirrored about the edge: d c b a | a b c d
    mirrored = torch.minimum(places, 2 * side - 1 - places)
    return torch.einsum("pos,o->ps", one_hot(mirrored, side).double(), weight / weight.sum())


def pruned(pictures: Tensor, size: Tensor, percentile: float) -> Tensor:
    """(N, C, H, W) with 0 where `size` (N, 1, H, W) is below this percentile of the row's; 0 changes nothing."""
    if not percentile:
        return pictures
    least = size.flatten(1).quantile(percentile / 100, dim=1).view(-1, 1, 1, 1)
    return torch.where(size < least, 0, pictures)
