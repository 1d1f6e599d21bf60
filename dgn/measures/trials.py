"""Trials of the two-alternative task: references that show what drives a unit, and two natural images to tell apart.

References are never queries: of the real images every other one gives references, the rest queries.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dgn.base import images, lightning
from dgn.base.errors import UserError
from dgn.data.dataset import Images, to_float
from dgn.data.loader import BATCH
from dgn.measures.settings import TwoAlternativeSettings
from dgn.measures.subject import NO_DATA, Subject
from dgn.units.score_table import ScoreTable
from dgn.units.terms import Unit

Scores = NDArray[np.float64]
Numbers = NDArray[np.int64]  # of images


@dataclass(frozen=True)
class References:
    """Pictures that show a unit: those that drive it and those that suppress it, (K, C, H, W) each, in [0, 1]."""

    above: Tensor
    below: Tensor


@dataclass(frozen=True)
class Trials:
    """All that is asked about one unit.

    Attributes:
        unit: its text.
        natural: the real images that drive it most and least.
        synthetic: the run's pictures of the unit and of its opposite.
        queries: (T, 2, C, H, W) pairs of real images; the first of a pair drives the unit more.
    """

    unit: str
    natural: References
    synthetic: References
    queries: Tensor


def make(subject: Subject, settings: TwoAlternativeSettings) -> list[Trials]:
    """The trials of every unit that the run has pictures of, and of its opposite.

    UserError without real images or such units, or with too few of either.
    """
    if subject.real is None:
        raise UserError(NO_DATA)
    both = opposites(subject, settings.references)
    pool = spread(subject.real.images, subject.settings.among)
    chosen = {unit.text: unit for unit in subject.target.units}
    scores = scored(subject, pool, [chosen[name] for name in both])
    made = []
    for (name, (above, below)), column in zip(both.items(), scores.T, strict=True):
        natural, queries = split(column, settings, zlib.crc32(name.encode()))
        synthetic = References(*(pictures(subject, rows) for rows in (above, below)))
        made.append(
            Trials(
                name,
                References(*(read(subject.real.images, pool[part]) for part in natural)),
                synthetic,
                torch.stack([read(subject.real.images, pool[part]) for part in queries], 1),
            )
        )
    return made


def percentiles(settings: TwoAlternativeSettings) -> str:
    """Where the queries are drawn from, which sets how hard the task is: part of what findings are called."""
    return "_".join(f"{low:g}-{high:g}" for low, high in (settings.below, settings.above))


def opposites(subject: Subject, count: int) -> dict[str, tuple[list[int], list[int]]]:
    """Of each unit that the run also minimises, `count` rows of the unit and of its opposite; UserError for none."""
    rows: dict[str, list[int]] = {}
    for i, row in enumerate(subject.run.rows):
        if row.state != "dead":
            rows.setdefault(row.unit, []).append(i)
    both = {name: (rows[name], rows[f"-{name}"]) for name in rows if f"-{name}" in rows}
    enough = {name: (a[:count], b[:count]) for name, (a, b) in both.items() if min(len(a), len(b)) >= count}
    if not enough:
        raise UserError(f"no unit has {count} pictures of itself and of its opposite: make a run with units such as "
                        f"'units=[3,-3]' and seeds={count}, or set two_alternative.references lower")  # fmt: skip
    return enough


def split(
    scores: Scores, settings: TwoAlternativeSettings, stream: int
) -> tuple[tuple[Numbers, Numbers], tuple[Numbers, Numbers]]:
    """Which real images are references, highest and lowest (K,) each, and queries, high and low (T,) each.

    Args:
        scores: of the real images, (M,).
        settings: how many of each, and from which percentiles of the queries' scores they are drawn.
        stream: number of the unit's own draw.
    """
    shown, asked = np.arange(0, len(scores), 2), np.arange(1, len(scores), 2)
    order = shown[np.argsort(scores[shown], kind="stable")]
    if len(order) < 2 * settings.references:
        raise UserError(f"{len(scores)} real images are too few for {settings.references} references of each kind: add "
                        "more, or set among=null")  # fmt: skip
    ranked = asked[np.argsort(scores[asked], kind="stable")]
    random = np.random.default_rng((settings.seed, stream))
    drawn = []
    for low, high in (settings.above, settings.below):
        window = ranked[int(np.floor(low / 100 * len(ranked))) : int(np.ceil(high / 100 * len(ranked)))]
        if len(window) < settings.trials:
            raise UserError(f"only {len(window)} real images are between percentiles {low:g} and {high:g}: set "
                            "two_alternative.trials to that number, or among=null")  # fmt: skip
        drawn.append(random.choice(window, settings.trials, replace=False))
    highest, lowest = order[::-1][: settings.references], order[: settings.references]
    return (highest, lowest), (drawn[0], drawn[1])


def spread(source: Images, most: int | None) -> Numbers:
    """Numbers of at most so many images, spread evenly over the classes."""
    by_class = np.argsort(source.source.labels, kind="stable")
    return by_class[np.linspace(0, len(by_class) - 1, min(most or len(by_class), len(by_class))).astype(int)]


@torch.no_grad()
def scored(subject: Subject, pool: Numbers, units: Sequence[Unit]) -> Scores:
    """Scores (M, units) of real images of the pictures' size, as the target sees pictures of that size."""
    target, real = subject.target, subject.real
    assert real is not None
    table = ScoreTable(units, target.objective).to(target.device)
    parts = []
    with lightning.on_device(target.device, target.features):
        for part in np.array_split(pool, max(1, len(pool) // BATCH)):
            x = images.channels(read(real.images, part), real.channels)
            parts.append(table(target.features(x.to(target.device))).cpu())
    return torch.cat(parts).double().numpy()


def read(source: Images, indices: Numbers) -> Tensor:
    """Images by number, (N, 3, side, side) in [0, 1]; UserError if one cannot be read."""
    ((pixels, light, _, found),) = source.__getitems__([int(i) for i in indices])
    if len(found) < len(indices):
        raise UserError("real images cannot be read: dgn data names them; repair or remove them")
    return to_float(pixels, light)


def pictures(subject: Subject, rows: Sequence[int]) -> Tensor:
    """The run's pictures by row, (N, C, H, W) in [0, 1]."""
    return torch.stack([images.saved(subject.run.folder / subject.run.rows[i].image) for i in rows])
