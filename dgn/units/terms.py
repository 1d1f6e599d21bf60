"""Units as weighted sums of elements at positions."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Term:
    """One term of a unit.

    Attributes:
        weight: factor on its value; negative to minimise.
        channel: element of a vector or of a token, or channel of a map; None for a direction.
        place: position in a map, row by row, or number of a token; "mean" or "max" over all of them, "every" for a
            direction with values of its own at each. 0 in a vector.
        direction: (channels, 1) weights of the channels, or (channels, places) at every place, from a file; None for a
            single channel.
        offset: of a latent, its bias: what is added to the values along the direction.
        label: for people: the class name where there is one.
        layer: where it is read; None where the run has one layer, which is then known.
    """

    weight: float
    channel: int | None
    place: int | str
    direction: Tensor | None
    label: str
    layer: str | None = None
    offset: float | None = None


@dataclass(frozen=True, eq=False)
class Unit:
    """One thing to maximise: the sum of its terms.

    Attributes:
        text: how it is written, where the run has one layer without its name.
        label: for people.
        terms: at least one.
    """

    text: str
    label: str
    terms: tuple[Term, ...]

    @property
    def channel(self) -> int | None:
        """The only element of the unit; None for a sum and for a direction."""
        return self.terms[0].channel if len(self.terms) == 1 else None


def label(terms: Sequence[Term]) -> str:
    """Terms for people: 'goldfish', 'not goldfish', '0.5 lemon + 0.5 goldfish', 'lemon − goldfish'."""
    if len(terms) == 1 and terms[0].weight == -1:
        return f"not {terms[0].label}"
    words = []
    for i, term in enumerate(terms):
        sign = "− " if term.weight < 0 else "+ " if i else ""
        size = "" if abs(term.weight) == 1 else f"{abs(term.weight):g} "
        words.append(f"{sign}{size}{term.label}")
    return " ".join(words)
