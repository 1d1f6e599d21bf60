"""What a measure finds in one run, before intervals: told of the run alone, or as a difference of two runs."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from dgn.measures import intervals
from dgn.measures.intervals import Measure


class Found(Protocol):
    """One named finding of a run."""

    @property
    def name(self) -> str:
        """Unique within a run, the same in every run: `MEASURE/OF WHAT/WHICH`."""
        ...

    def told(self) -> Measure:
        """The number with its interval."""
        ...

    def minus(self, other: "Found") -> Measure:
        """How much higher it is than the same finding of another run, over the classes that both share."""
        ...


@dataclass(frozen=True)
class Numbers:
    """One number per picture, to be averaged.

    Attributes:
        values: NaN where a picture has none.
        classes: what each picture was made for: pictures of one class are alike.
        share: whether the numbers are 0 and 1.
        note: what to know before reading the mean; alone, without values, why there is none.
    """

    name: str
    values: Sequence[float]
    classes: Sequence[str]
    share: bool = False
    note: str = ""

    def told(self) -> Measure:
        """A share with Wilson's interval, or a mean with a bootstrap over classes."""
        if not len(self.values):
            return intervals.nothing(self.name, self.note)
        if self.share:
            hits = [value > 0.5 for value in self.values]
            return _noted(intervals.share(self.name, hits, self.classes), self.note)
        return _noted(intervals.mean_over_classes(self.name, self.values, self.classes), self.note)

    def minus(self, other: Found) -> Measure:
        """The paired difference of the means."""
        assert isinstance(other, Numbers)
        if not len(self.values) or not len(other.values):
            return intervals.nothing(self.name, self.note or other.note)
        return intervals.paired(self.name, self.values, other.values, self.classes, other.classes)


@dataclass(frozen=True)
class Statistic:
    """A number of all pictures together, such as a distance to real images.

    Attributes:
        value: the number of the pictures of these classes alone; NaN where there are too few.
        classes: of each picture.
    """

    name: str
    value: Callable[[Collection[str]], float]
    classes: Sequence[str]
    note: str = ""

    def told(self) -> Measure:
        """The number with a jackknife over classes."""
        return intervals.jackknife(self.name, self.value, set(self.classes), len(self.classes), self.note)

    def minus(self, other: Found) -> Measure:
        """The difference, with a jackknife over the classes that both share."""
        assert isinstance(other, Statistic)
        shared = set(self.classes) & set(other.classes)
        if not shared:
            return intervals.nothing(self.name, "the runs share no class with values")
        used = sum(one in shared for one in [*self.classes, *other.classes])
        return intervals.jackknife(
            self.name, lambda kept: self.value(kept) - other.value(kept), shared, used, self.note
        )


@dataclass(frozen=True)
class Unmeasured:
    """A finding that a run cannot have, and why."""

    name: str
    why: str

    def told(self) -> Measure:
        """No number, and the reason."""
        return intervals.nothing(self.name, self.why)

    def minus(self, other: Found) -> Measure:
        """No number, and the reason."""
        return intervals.nothing(self.name, self.why)


def differences(first: Sequence[Found], second: Sequence[Found]) -> list[Measure]:
    """The findings that both runs have, first minus second, in the first run's order.

    Findings on the same real images do not differ, and are left out.
    """
    others = {found.name: found for found in second}
    both = [(one, others[one.name]) for one in first if one.name in others]
    apart = [other.minus(one) if isinstance(other, Unmeasured) else one.minus(other) for one, other in both]
    return [one for one in apart if "/real" not in one.name or not abs(one.value) < 1e-9]


def _noted(measure: Measure, note: str) -> Measure:
    notes = "; ".join(filter(None, [note, measure.note]))
    return Measure(measure.name, measure.value, measure.low, measure.high, measure.n, notes)


def log2(rank: float) -> float:
    """The logarithm of a rank to base two, 0 for the first; NaN for none."""
    return math.log2(rank) if rank == rank else math.nan
