"""A network in training: when do pictures of its classes become recognisable, and when does it become accurate?"""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from dgn.measures.finished import Finished
from dgn.measures.intervals import Measure, jackknife, mean_over_classes
from dgn.measures.look import Eye
from dgn.measures.real import RealImages
from dgn.networks.settings import NetworkSettings
from dgn.paper import judged
from dgn.paper.settings import PaperSettings
from dgn.paper.table import Analysis, Point

PER_CLASS = 50  # held-out images of a class
Values = Mapping[str, Sequence[float]]  # by the class
KINDS = ("pictures", "accuracy")


def growth(folder: Path, settings: PaperSettings, rows: Sequence[Measure]) -> Analysis:
    """Of each run at_ITERATION the network's top-1 of real images of its classes, and how far both have come.

    The *way* is from chance (0) to the last run (1), of the judge's mean log₂ rank ("pictures") and of the network's
    top-1 ("accuracy"), over the same classes; "pictures − accuracy" is above 0 where the pictures are ahead.
    """
    runs = [Finished.read(path.parent) for path in sorted(folder.glob("at_*/results.csv"))]
    eye, real = judged.eye(settings), judged.real_images(settings, PER_CLASS)
    moments = {run.name: (ranks(run, eye), hits(judged.target_of(run.folder), real, run)) for run in runs}
    target = judged.named(judged.target_of(runs[-1].folder))
    chance = log2_rank_by_chance(len(eye.judge.names.classes)), 1 / len(target.judge.names.classes)
    end = moments[runs[-1].name]
    found, points = list[Measure](), list[Point]()
    for name, both in moments.items():
        found.append(mean_over_classes(f"{name}: held-out top-1", *flat(both[1])))
        for kind, value, last, start in zip(KINDS, both, end, chance, strict=True):
            found.append(moved(f"{name}: way of {kind}", [(1, value, last, start)]))
            points.append(Point(name, float(name.partition("_")[2]), *bounds(found[-1]), kind))
    ahead = [(sign / len(moments), both[place], end[place], chance[place])
             for both in moments.values() for place, sign in ((0, 1.0), (1, -1.0))]  # fmt: skip
    found.append(moved("pictures − accuracy: mean way", ahead))
    return Analysis(found, points, ("iterations", "way from chance (0) to the end (1)"))


def ranks(run: Finished, eye: Eye) -> Values:
    """By the class, log₂ of the rank that the judge gives it in each of its pictures."""
    classes = [one or "" for one in run.classes]
    found = judged.log2_ranks(eye, [run.folder / row.image for row in run.rows], classes)
    return grouped(found, classes)


def hits(network: NetworkSettings, real: RealImages, run: Finished) -> Values:
    """By the class of the run's pictures, of each of its real images 1 where the network names it first, else 0."""
    names = list(dict.fromkeys(one for one in run.classes if one is not None))
    seen = judged.named(network).look((x, of, of) for x, of in real.of(names))
    return grouped([float(rank == 1) for rank in seen.ranks], seen.classes)


def grouped(values: Sequence[float], classes: Sequence[str]) -> Values:
    """Values by their class."""
    found: dict[str, list[float]] = {}
    for value, name in zip(values, classes, strict=True):
        found.setdefault(name, []).append(value)
    return found


def flat(values: Values) -> tuple[list[float], list[str]]:
    """All values, and the class of each."""
    pairs = [(value, name) for name, those in values.items() for value in those]
    return [value for value, _ in pairs], [name for _, name in pairs]


def moved(name: str, parts: Sequence[tuple[float, Values, Values, float]]) -> Measure:
    """The sum over (weight, now, last, chance) of weight · (now − chance) / (last − chance), jackknifed by classes."""
    classes = set.intersection(*(set(values) for _, now, last, _ in parts for values in (now, last)))

    def value(kept: Collection[str]) -> float:
        return sum(weight * _way(mean(now, kept), mean(last, kept), chance) for weight, now, last, chance in parts)

    return jackknife(name, value, classes, sum(len(now[one]) for one in classes for _, now, _, _ in parts[:1]))


def _way(now: float, last: float, chance: float) -> float:
    return (now - chance) / (last - chance) if last != chance else math.nan


def mean(values: Values, classes: Collection[str]) -> float:
    """The mean of these classes' values, each class once."""
    return sum(sum(values[one]) / len(values[one]) for one in classes) / len(classes)


def bounds(one: Measure) -> tuple[float, float, float]:
    """A number and its interval."""
    return one.value, one.low, one.high


def log2_rank_by_chance(count: int) -> float:
    """The mean of log₂ of all ranks of so many outputs."""
    return sum(math.log2(rank) for rank in range(1, count + 1)) / count
