"""A prior that keeps each climb near the code that it began with: beside `start=facets`, at its face."""

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from dgn.generators.moments import Moments
from dgn.synthesis.priors import Ellipsoid, Factor, Multiple, Step


class Near(Ellipsoid):
    """A ball about each row's own initial code, then the ellipsoid and the box. Not in the paper.

    The distance is that of `Ellipsoid`, from the initial code instead of the mean; what lies outside the axes stays
    as it was. Without axes (maps) it is the root mean square of the elements in units of their standard deviations.

    Args:
        moments: of the code on real images.
        max_distance: the largest distance; two real codes are about 1.4 apart.
        max_mahalanobis: of the ellipsoid; None for the box alone.
        k, lower, shrink, round: of the box.
    """

    std: Tensor
    along: Tensor | None
    coordinates: Tensor | None

    def __init__(
        self,
        moments: Moments,
        *,
        max_distance: Multiple,
        max_mahalanobis: Annotated[float, Field(gt=0)] | None,
        k: Multiple,
        lower: Literal["auto", "zero"],
        shrink: Factor,
        round: Literal["floor"] | None = None,
    ) -> None:
        super().__init__(moments, max_mahalanobis=max_mahalanobis, k=k, lower=lower, shrink=shrink, round=round)
        self.max_distance = max_distance
        self.register_buffer("std", moments.std.clamp_min(1e-6))
        self.register_buffer("along", moments.axes)
        self.register_buffer("coordinates", moments.inverse_axes)

    @staticmethod
    def describe(moments: Moments, what: str = "code", *, max_distance: float, **rest: Any) -> str:  # type: ignore[override]
        """Where the prior keeps the code, for the page."""
        return (f"the {what} was kept within a distance of {max_distance:g} from where its climb began (two real codes "
                f"are at about 1.4), and {Ellipsoid.describe(moments, what, **rest)}")  # fmt: skip

    def after(self, code: Tensor, step: Step) -> Tensor:
        """The codes no further from their starts than allowed, then in the range."""
        with torch.autocast(code.device.type, enabled=False):
            moved = code - step.start
            if self.along is None or self.coordinates is None:
                size = (moved / self.std).flatten(1).square().mean(1).sqrt()
            else:
                moved = moved @ self.coordinates
                size = moved.square().mean(1).sqrt()
            moved = moved * (self.max_distance / size).clamp_max(1).view(-1, *[1] * (code.ndim - 1))
            return self.apply_to(step.start + (moved if self.along is None else moved @ self.along))
