"""Priors: keep the code in the range of real images' codes.

Those of other methods are in `regularisers` and `ppgn`. To add your own, write one subclass of `Prior` and one YAML
with its `_target_` in your own folder `prior/`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dgn.generators.bundle import Bundle
from dgn.generators.moments import Moments

Multiple = Annotated[float, Field(gt=0, allow_inf_nan=False)]  # of a standard deviation
Factor = Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True)
class Step:
    """What a prior may look at in a step of the climb.

    Attributes:
        number: from 0.
        seeds: one a row.
        code: (N, *code_shape) before the step.
        start: (N, *code_shape) before the first step.
        pictures: (N, C, H, W) that G makes of it.
        gradient: (N, *code_shape) of the scores.
    """

    number: int
    seeds: Sequence[int]
    code: Tensor
    start: Tensor
    pictures: Tensor
    gradient: Tensor


class Prior(nn.Module):
    """The base of all priors: no range. A subclass overrides what it changes.

    Args:
        moments: of the code on real images.
    """

    def __init__(self, moments: Moments) -> None:
        super().__init__()

    @staticmethod
    def describe(moments: Moments, what: str = "code", **settings: Any) -> str:
        """A clause for the page: how the prior limits the code.

        Args:
            moments: of the code on real images.
            what: what the code is to the reader, "code" or "picture".
            settings: those of its YAML.
        """
        return f"the {what} was not limited"

    def fits(self, bundle: Bundle) -> None:
        """UserError where this prior does not go with the run's generator."""

    def uphill(self, gradient: Tensor, step: Step) -> Tensor:
        """The direction in which a code climbs, from the gradient (N, *code_shape)."""
        return gradient

    def after(self, code: Tensor, step: Step) -> Tensor:
        """The codes after a step, as the next one begins with them; only pulled back into the range by default."""
        return self.apply_to(code)

    def apply_to(self, code: Tensor) -> Tensor:
        """The codes (N, *code_shape) pulled back into the range."""
        return code

    def at_bound(self, code: Tensor) -> Tensor:
        """Per row, the share of elements that the range holds back, in [0, 1]: (N,)."""
        return code.new_zeros(len(code))


class Free(Prior):
    """No prior at all."""


class Shrink(Prior):
    """No range, only the pull towards 0: code · `shrink` after every step (L2 on the code).

    Args:
        moments: of the code on real images.
        shrink: the factor, in (0, 1].
    """

    def __init__(self, moments: Moments, *, shrink: Factor) -> None:
        super().__init__(moments)
        self.shrink = shrink

    @staticmethod
    def describe(moments: Moments, what: str = "code", *, shrink: float, **_: Any) -> str:  # type: ignore[override]
        """Where the prior keeps the code, for the page."""
        return f"the {what} was not limited" + (
            "" if shrink == 1 else f", but was multiplied by {shrink:g} after each step"
        )

    def apply_to(self, code: Tensor) -> Tensor:
        """The code, a little smaller."""
        return code * self.shrink


class Box(Prior):
    """Clip to [lower, mean + k · std], then multiply by `shrink`; the order is that of act_max.py.

    Args:
        moments: of the code on real images, per element or per channel.
        k: how many standard deviations from the mean.
        lower: "zero" for 0 everywhere (released), "auto" for 0 where the code is never negative on data and
            mean − k · std elsewhere.
        shrink: factor after the clip, in (0, 1]: the released stand-in for the paper's L2 term. 1 is off.
        round: "floor" rounds the upper bounds down to whole numbers, as in the released files of bounds.
    """

    lower: Tensor
    upper: Tensor
    limits_upper: Tensor
    limits_lower: Tensor

    def __init__(
        self,
        moments: Moments,
        *,
        k: Multiple,
        lower: Literal["auto", "zero"],
        shrink: Factor,
        round: Literal["floor"] | None = None,
    ) -> None:
        super().__init__(moments)
        self.shrink = shrink
        signed, upper = moments.minimum < 0, moments.mean + k * moments.std
        below = (moments.mean - k * moments.std) * signed
        self.register_buffer("lower", torch.zeros_like(below) if lower == "zero" else below)
        self.register_buffer("upper", upper.floor() if round == "floor" else upper)
        # An element that never varies is at its bounds in every code, and 0 is where a ReLU puts most elements of a
        # real code: neither says that the range holds a code back.
        varies = (moments.std > 1e-6 * moments.mean.abs()) & (self.upper > self.lower)
        self.register_buffer("limits_upper", varies)
        self.register_buffer("limits_lower", varies & signed)

    @staticmethod
    def describe(  # type: ignore[override]
        moments: Moments, what: str = "code", *, k: float, shrink: float, **_: Any
    ) -> str:
        """Where the prior keeps the code, for the page."""
        shrunk = "" if shrink == 1 else f", and the {what} was multiplied by {shrink:g} after each step"
        return f"each {what} element was kept within {k:g} standard deviations of its mean on real images{shrunk}"

    def apply_to(self, code: Tensor) -> Tensor:
        """The code pulled back into its range."""
        return code.clamp(self.lower, self.upper) * self.shrink

    def at_bound(self, code: Tensor) -> Tensor:
        """Per row, the share of elements within 1 % of the range's width of a bound, after undoing the shrink: (N,).

        The lower bound counts only for elements that real codes make negative: 0 is the natural value of a
        post-activation code. Elements that do not vary on real images are left out.
        """
        code = code / self.shrink
        slack = 0.01 * (self.upper - self.lower)
        held_back = (code >= self.upper - slack) & self.limits_upper | (code <= self.lower + slack) & self.limits_lower
        varying = self.limits_upper.expand_as(code).flatten(1).sum(1)
        return held_back.flatten(1).sum(1) / varying.clamp_min(1)


class Ellipsoid(Box):
    """The ellipsoid of real codes, then the box: it limits elements jointly, not each by itself. Not in the paper.

    With A the principal axes of real codes, scaled to their standard deviations, a code is mean + z·A. Its Mahalanobis
    distance from the mean is the root mean square of z, about 1 for real codes. Codes without axes (maps) use the box
    only. `at_bound` refers to the box.

    Args:
        moments: of the code on real images, with `axes`.
        max_mahalanobis: the largest distance; None for the box alone.
        k, lower, shrink, round: of the box.
    """

    mean: Tensor
    axes: Tensor | None
    inverse: Tensor

    def __init__(
        self,
        moments: Moments,
        *,
        max_mahalanobis: Annotated[float, Field(gt=0)] | None,
        k: Multiple,
        lower: Literal["auto", "zero"],
        shrink: Factor,
        round: Literal["floor"] | None = None,
    ) -> None:
        super().__init__(moments, k=k, lower=lower, shrink=shrink, round=round)
        self.max_mahalanobis = float("inf") if max_mahalanobis is None else max_mahalanobis
        self.register_buffer("mean", moments.mean)
        self.register_buffer("axes", None if max_mahalanobis is None else moments.axes)
        self.register_buffer("inverse", None if max_mahalanobis is None else moments.inverse_axes)

    @staticmethod
    def describe(moments: Moments, what: str = "code", *, max_mahalanobis: float | None = None, **box: Any) -> str:
        """Where the prior keeps the code, for the page."""
        within = Box.describe(moments, what, **box)
        if max_mahalanobis is None or moments.axes is None:
            return within
        return (f"the {what} as a whole was kept within a Mahalanobis distance of {max_mahalanobis:g} from the mean of "
                f"real codes, which are at about 1, and {within}")  # fmt: skip

    def apply_to(self, code: Tensor) -> Tensor:
        """The code brought to the axes, then within the radius, then into the box."""
        if self.axes is None:
            return super().apply_to(code)
        with torch.autocast(code.device.type, enabled=False):
            z = (code - self.mean) @ self.inverse
            z = z * (self.max_mahalanobis / z.square().mean(1, keepdim=True).sqrt()).clamp_max(1)
            return super().apply_to(self.mean + z @ self.axes)

    def uphill(self, gradient: Tensor, step: Step) -> Tensor:
        """The gradient with respect to z, as a step of the code: mostly along what varies most in real codes."""
        if self.axes is None:
            return gradient
        with torch.autocast(gradient.device.type, enabled=False):
            return (gradient.to(self.axes) @ self.axes.T) @ self.axes
