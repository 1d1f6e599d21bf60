"""Where a code may go: the range that codes have on real images.

A new prior is one class with `apply_to`, `at_bound` and `uphill`, and one YAML under conf/prior.
"""

from typing import Any

import torch
from torch import Tensor, nn

from dgn.base.errors import UserError
from dgn.generators.moments import Moments


class Box(nn.Module):
    """Clip to [lower, mean + k · std], then multiply by `shrink`; the order is that of act_max.py.

    Args:
        moments: of the code on real images, per element or per channel.
        k: how many standard deviations from the mean.
        lower: "zero" for 0 everywhere (released), "auto" for 0 where the code is never negative on data and
            mean − k · std elsewhere.
        shrink: factor after the clip, in (0, 1]: the released stand-in for the paper's L2 term. 1 is off.
    """

    lower: Tensor
    upper: Tensor

    def __init__(self, moments: Moments, *, k: float, lower: str, shrink: float) -> None:
        super().__init__()
        self.shrink = shrink
        below = (moments.mean - k * moments.std) * (moments.minimum < 0)
        self.register_buffer("lower", torch.zeros_like(below) if lower == "zero" else below)
        self.register_buffer("upper", moments.mean + k * moments.std)

    @staticmethod
    def describe(moments: Moments, *, k: float, shrink: float, **_: Any) -> str:
        """Where the prior keeps the code, for the page."""
        shrunk = "" if shrink == 1 else f", and is multiplied by {shrink:g} after each step"
        return f"each element stays within {k:g} standard deviations of its mean{shrunk}"

    def apply_to(self, code: Tensor) -> Tensor:
        """The code pulled back into its range."""
        return code.clamp(self.lower, self.upper) * self.shrink

    def at_bound(self, code: Tensor) -> Tensor:
        """Per row, the share of elements within 1 % of a bound's distance, after undoing the shrink: (N,)."""
        code = code / self.shrink
        slack = 0.01 * (self.upper - self.lower)
        return ((code <= self.lower + slack) | (code >= self.upper - slack)).flatten(1).float().mean(1)

    def uphill(self, gradient: Tensor) -> Tensor:
        """The direction that a code climbs in: the gradient."""
        return gradient


class Ellipsoid(Box):
    """The ellipsoid that real codes fill, and its box: not each element alone, but the elements as they occur together.

    With A the axes of real codes, as long as their standard deviations, a code is mean + z·A. Its distance from the
    mean is the root mean square of z (Mahalanobis); of real codes it is about 1. Not in the paper, whose range is the
    box. Codes without axes, those of maps, have the box alone.

    Args:
        moments: of the code on real images, with `axes`.
        radius: the largest distance; None for the box alone.
        box: `k`, `lower` and `shrink` of the box.

    UserError for a radius that is no distance.
    """

    mean: Tensor
    axes: Tensor | None
    inverse: Tensor

    def __init__(self, moments: Moments, *, radius: float | None, **box: Any) -> None:
        super().__init__(moments, **box)
        if isinstance(radius, str) or (radius is not None and not radius > 0):
            raise UserError(f"radius={radius} is no distance: type prior.radius=1.5, or null for the box alone")
        self.radius = float("inf") if radius is None else radius
        axes = None if radius is None else moments.axes
        self.register_buffer("mean", moments.mean)
        self.register_buffer("axes", axes)
        self.register_buffer("inverse", None if axes is None else torch.linalg.pinv(axes))

    @staticmethod
    def describe(moments: Moments, *, radius: float | None = None, **box: Any) -> str:
        """Where the prior keeps the code, for the page."""
        within = Box.describe(moments, **box)
        if radius is None or moments.axes is None:
            return within
        return f"the code stays within {radius:g} times the usual distance of real codes from their mean, and {within}"

    def apply_to(self, code: Tensor) -> Tensor:
        """The code brought to the axes, then within the radius, then into the box."""
        if self.axes is None:
            return super().apply_to(code)
        with torch.autocast(code.device.type, enabled=False):
            z = (code - self.mean) @ self.inverse
            z = z * (self.radius / z.square().mean(1, keepdim=True).sqrt()).clamp_max(1)
            return super().apply_to(self.mean + z @ self.axes)

    def uphill(self, gradient: Tensor) -> Tensor:
        """The gradient with respect to z, as a step of the code: mostly along what varies most in real codes."""
        if self.axes is None:
            return gradient
        with torch.autocast(gradient.device.type, enabled=False):
            return (gradient.to(self.axes) @ self.axes.T) @ self.axes


class Shrink(nn.Module):
    """No range, only the pull towards 0: code · `shrink` after every step (L2 on the code)."""

    def __init__(self, moments: Moments, *, shrink: float) -> None:
        super().__init__()
        self.shrink = shrink

    @staticmethod
    def describe(moments: Moments, *, shrink: float = 1.0) -> str:
        """Where the prior keeps the code, for the page."""
        return "nothing limits it" + ("" if shrink == 1 else f", but it is multiplied by {shrink:g} after each step")

    def apply_to(self, code: Tensor) -> Tensor:
        """The code, a little smaller."""
        return code * self.shrink

    def at_bound(self, code: Tensor) -> Tensor:
        """There is no bound: zeros, (N,)."""
        return code.new_zeros(len(code))

    def uphill(self, gradient: Tensor) -> Tensor:
        """The gradient."""
        return gradient


class Free(Shrink):
    """No prior at all."""

    def __init__(self, moments: Moments) -> None:
        super().__init__(moments, shrink=1.0)
