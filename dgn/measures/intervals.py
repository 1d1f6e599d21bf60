"""A measured number with its n and a 95 % interval.

Pictures of one class are alike, so classes are what is drawn at random, not pictures. The interval says what would be
seen with other classes of the same kind; how the classes were chosen it does not know.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

LEVEL = 0.95
DRAWS = 9999  # resamples of a bootstrap: its bounds then move by about a hundredth of the interval's width
GROUPS = 20  # of classes that a jackknife leaves out in turn
ONE_CLASS, ALIKE = "one class: no interval", "all classes alike: no interval"


@dataclass(frozen=True)
class Measure:
    """One number of one run, or the difference of two.

    Attributes:
        name: what was measured, unique within a run.
        value: the number; NaN where nothing could be measured.
        low: lower bound of the 95 % interval; NaN where none can be given.
        high: upper bound.
        n: how many pictures (or pairs of pictures) were averaged.
        note: why a number or an interval is missing, or what to know before reading it; "" if nothing.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    note: str = ""


def share(name: str, hits: Sequence[bool], classes: Sequence[str] | None = None) -> Measure:
    """A share in [0, 1], with Wilson's interval (1927).

    With several pictures a class, the interval is Wilson's for the *effective* number of pictures: as many independent
    ones as would leave the share as uncertain as the classes do (Kish 1965), at least one a class. A share of 0 or 1
    has no spread to tell it from, and counts each class once.

    Args:
        hits: one per picture.
        classes: the class of each picture; without them all pictures count as independent.
    """
    hit = np.asarray(hits, bool)
    if not len(hit):
        return nothing(name)
    count, value = float(len(hit)), float(hit.mean())
    if classes is not None:
        sums, counts = _by_class(hit.astype(float), classes)
        count = _effective(value, sums, counts)
    low, high = _wilson(value, count)
    return Measure(name, value, low, high, len(hit))


def between_shares(name: str, first: Measure, second: Measure) -> Measure:
    """How much higher one share is than another, with Newcombe's interval (1998, method 10), from those of both.

    That the shares are of the same classes is not used, which would narrow it. Unlike a bootstrap it has bounds where
    all pictures of each agree.
    """
    apart = first.value - second.value
    below = math.hypot(first.value - first.low, second.high - second.value)
    above = math.hypot(first.high - first.value, second.value - second.low)
    return Measure(name, apart, max(-1.0, apart - below), min(1.0, apart + above), first.n + second.n)


def mean_over_classes(name: str, values: Sequence[float], classes: Sequence[str]) -> Measure:
    """The mean of all pictures; the interval by a bootstrap over classes, drawn with all their pictures.

    NaN among the values are left out, and the note counts them.

    Args:
        values: one per picture.
        classes: the class of each picture.
    """
    x, names, note = _given(values, classes)
    if not len(x):
        return nothing(name, note)
    sums, counts = _by_class(x, names)
    low, high, why = _bootstrap(sums, counts)
    return Measure(name, float(x.mean()), low, high, len(x), _join(note, why))


def paired(
    name: str,
    first: Sequence[float],
    second: Sequence[float],
    classes: Sequence[str],
    second_classes: Sequence[str] | None = None,
) -> Measure:
    """How much higher the first run's mean is than the second's, over the classes that both share.

    Both means are over classes, so that a class with more pictures in one run counts no more there than in the other.
    The interval is a bootstrap over the shared classes, each drawn with its pictures of both runs. Shares are means
    of 0 and 1.

    Args:
        first: one value per picture of the first run; NaN are left out.
        second: of the second run.
        classes: the class of each picture of the first run.
        second_classes: of the second run; the same as `classes` if not given.
    """
    x, x_classes, _ = _given(first, classes)
    y, y_classes, _ = _given(second, classes if second_classes is None else second_classes)
    shared = sorted(set(x_classes) & set(y_classes))
    if not shared:
        return nothing(name, "the runs share no class with values")
    of_x, of_y = np.asarray(x_classes), np.asarray(y_classes)
    difference = np.array([x[of_x == one].mean() - y[of_y == one].mean() for one in shared])
    used = int(np.isin(of_x, shared).sum() + np.isin(of_y, shared).sum())
    low, high, why = _bootstrap(difference, np.ones(len(shared)))
    missing = len(set(x_classes) | set(y_classes)) - len(shared)
    note = _join(f"{missing} classes of one run only were left out" if missing else "", why)
    return Measure(name, float(difference.mean()), low, high, used, note)


def jackknife(
    name: str, value: Callable[[Collection[str]], float], classes: Collection[str], n: int, note: str = ""
) -> Measure:
    """A number that is no mean of pictures, such as a distance between two sets; the interval by a jackknife.

    The classes are left out in turn, in at most `GROUPS` groups; Student's t with one degree of freedom less than there
    are groups (Tukey 1958). A bootstrap would not do: of a class that is drawn twice, pictures would be compared with
    themselves.

    Args:
        value: the number of these classes alone.
        n: pictures that took part.
    """
    every = sorted(classes)
    whole = value(every) if every else math.nan
    if math.isnan(whole):
        return nothing(name, note)
    groups = min(GROUPS, len(every))
    if groups < 2:
        return Measure(name, whole, math.nan, math.nan, n, _join(note, ONE_CLASS))
    left = np.array([value([one for i, one in enumerate(every) if i % groups != g]) for g in range(groups)])
    if not np.isfinite(left).all():
        return Measure(name, whole, math.nan, math.nan, n, _join(note, "too few classes: no interval"))
    if np.ptp(left) <= 1e-12 * abs(whole):
        return Measure(name, whole, math.nan, math.nan, n, _join(note, ALIKE))
    spread = math.sqrt((groups - 1) / groups * float(np.square(left - left.mean()).sum()))
    half = float(stats.t.ppf((1 + LEVEL) / 2, groups - 1)) * spread
    return Measure(name, whole, whole - half, whole + half, n, note)


def spearman(name: str, x: Sequence[float], y: Sequence[float]) -> Measure:
    """Spearman's rank correlation of pairs, such as two numbers of each class; the interval by a bootstrap over pairs.

    Args:
        x, y: one number each per pair; pairs with NaN are left out, and the note counts them.
    """
    pairs = np.array([x, y], float)
    there = np.isfinite(pairs).all(0)
    note = f"{int((~there).sum())} of {len(there)} have no value" if not there.all() else ""
    first, second = pairs[:, there]
    value = _rank_correlation(first, second)
    if len(first) < 3 or math.isnan(value):
        return nothing(name, _join(note, "too few pairs, or all alike: no correlation"))
    draws = np.random.default_rng(0).integers(len(first), size=(DRAWS, len(first)))
    found = _rank_correlation(first[draws], second[draws])
    low, high = np.nanpercentile(found, [100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2])
    return Measure(name, float(value), float(low), float(high), len(first), note)


def _rank_correlation(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> Any:
    """Spearman's of the last axis; ties share their mean rank; NaN where one side is all alike."""
    first, second = (stats.rankdata(one, axis=-1) - (one.shape[-1] + 1) / 2 for one in (x, y))
    with np.errstate(invalid="ignore"):
        return (first * second).sum(-1) / np.sqrt((first**2).sum(-1) * (second**2).sum(-1))


def nothing(name: str, why: str = "") -> Measure:
    """A measure without a value, and the reason."""
    return Measure(name, math.nan, math.nan, math.nan, 0, why or "nothing to measure")


def _given(values: Sequence[float], classes: Sequence[str]) -> tuple[np.ndarray[Any, Any], list[str], str]:
    """The values that are numbers, their classes, and how many were not."""
    x = np.asarray(values, float)
    if len(x) != len(classes):
        raise ValueError(f"{len(x)} values for {len(classes)} classes")
    there = np.isfinite(x)
    lost = int((~there).sum())
    return (
        x[there],
        [one for one, good in zip(classes, there, strict=True) if good],
        (f"{lost} of {len(x)} have no value" if lost else ""),
    )


def _by_class(x: np.ndarray[Any, Any], classes: Sequence[str]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The sum and the number of each class's values; in the order of names, so that the order of rows has no effect."""
    _, index, counts = np.unique(np.asarray(classes, str), return_inverse=True, return_counts=True)
    sums = np.zeros(len(counts))
    for i in range(len(counts)):
        sums[i] = math.fsum(x[index == i])
    return sums, counts


def _bootstrap(sums: np.ndarray[Any, Any], counts: np.ndarray[Any, Any]) -> tuple[float, float, str]:
    """Bounds of the mean of all values: percentiles over draws of as many classes as there are; NaN, and why.

    Where all classes have the same mean, every draw has it too, which does not make it certain.
    """
    if len(sums) == 1:
        return math.nan, math.nan, ONE_CLASS
    if np.ptp(sums / counts) <= 1e-12 * np.abs(sums / counts).max():
        return math.nan, math.nan, ALIKE

    def mean(some: np.ndarray[Any, Any], of: np.ndarray[Any, Any], axis: int) -> Any:
        return some.sum(axis) / of.sum(axis)

    found = stats.bootstrap(
        (sums, counts), mean, paired=True, vectorized=True, n_resamples=DRAWS, batch=1000, method="percentile",
        confidence_level=LEVEL, rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return float(found.low), float(found.high), ""


def _effective(value: float, sums: np.ndarray[Any, Any], counts: np.ndarray[Any, Any]) -> float:
    """How many independent pictures would leave the share as uncertain as these classes do."""
    classes, pictures = len(sums), int(counts.sum())
    spread = float(np.square(sums - value * counts).sum())
    if classes == 1 or value in {0, 1}:
        return classes
    if spread == 0:
        return pictures
    variance = classes / (classes - 1) * spread / pictures**2  # of a ratio of sums over clusters (Cochran 1977)
    return min(max(value * (1 - value) / variance, classes), pictures)


def _wilson(value: float, count: float) -> tuple[float, float]:
    """Wilson's score interval; unlike scipy's (`binomtest`) it takes a count that is no whole number."""
    z = float(stats.norm.ppf((1 + LEVEL) / 2))
    middle = (value + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(value * (1 - value) / count + z * z / (4 * count * count))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return 0.0 if value == 0 else low, 1.0 if value == 1 else high  # rounding leaves 1e-17


def _join(*notes: str) -> str:
    return "; ".join(note for note in notes if note)
