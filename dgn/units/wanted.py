"""Objectives with a wanted value in place of the maximum: a level of the unit, a pattern of the layer."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from dgn.base.errors import UserError
from dgn.base.typed import Number
from dgn.units.terms import Term, Unit


class Level:
    """Minus the distance of a unit's value from a level: 0 where it is reached, in the unit's own values.

    Args:
        percentile: the level's place among the scores of real images, from 0 for the lowest to 100 for the highest.
        value: the level itself, for which no images are needed; None takes the percentile.

    Attributes:
        levels: of each unit, by its text; None until `measure`, where it is not given.
    """

    def __init__(self, percentile: Annotated[float, Field(ge=0, le=100)], value: Number | None) -> None:
        self.percentile, self.value = percentile, value
        self.levels: Mapping[str, float] | None = None

    @property
    def name(self) -> str:
        """What a page calls the score."""
        at = f"{self.value:g}" if self.value is not None else f"the percentile {self.percentile:g} of real images"
        return f"minus the distance of the unit's value from {at}"

    @property
    def measured(self) -> bool:
        """Whether the levels are known."""
        return self.value is not None or self.levels is not None

    def measure(self, units: Sequence[Unit], scores: Tensor) -> None:
        """Set the levels by the scores (M, units) of real images; what is not a number is left out."""
        columns = scores.double().T
        quantile = self.percentile / 100
        self.levels = {unit.text: float(column[torch.isfinite(column)].quantile(quantile))
                       for unit, column in zip(units, columns, strict=True)}  # fmt: skip

    def of(self, units: Sequence[Unit]) -> Tensor:
        """The levels of some units; NaN before they are measured."""
        levels = self.levels or {}
        return torch.tensor([levels.get(unit.text, torch.nan) if self.value is None else self.value for unit in units])


def nearness(score: Tensor, level: Tensor) -> Tensor:
    """−|score − level|, with a gradient at the level itself as well: a row without one would count as dead."""
    beyond = score - level
    return torch.where(beyond > 0, -beyond, beyond)


class Match:
    """Minus the squared distance of the layer's values from a pattern, as a share of the pattern's variance.

    −mean((v − d)²) / var(d) over the elements of the pattern d: 0 for the pattern itself, −1 for values that are its
    mean everywhere. Unlike the cosine it fixes how large the values are, not their direction alone; unlike the bare
    distance it is comparable between layers.
    """

    name = "minus the squared distance from the pattern, over the pattern's variance"

    @staticmethod
    def check(terms: Sequence[Term]) -> None:
        """UserError for a term that is no pattern, or one that is the same everywhere."""
        for term in terms:
            if term.direction is None or term.offset is not None:
                raise UserError(f"objective=match needs patterns, which are files of an image or a layer's values, and "
                                f"{term.label} is none: set, for example, units=conv5:cat.jpg")  # fmt: skip
            if term.direction.double().var(correction=0) == 0:
                raise UserError(f"the pattern {term.label} has one value everywhere: choose another one, or place")
