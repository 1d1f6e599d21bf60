"""Does the score tell whether a picture can be recognised? Over settings of the ascent that were drawn at random."""

import math
from collections.abc import Sequence
from pathlib import Path

from dgn.base.errors import UserError
from dgn.measures.intervals import Measure, mean_over_classes, spearman
from dgn.paper.settings import PaperSettings
from dgn.paper.table import Analysis, Point
from dgn.report import results


def score_and_judge(folder: Path, settings: PaperSettings, rows: Sequence[Measure]) -> Analysis:
    """Spearman's correlation, over the runs in `folder`, of the mean score and the judge's mean log₂ rank.

    Recognisable pictures have low ranks: where the score told them, the correlation would be near -1. A second row has
    the half of the settings with the higher scores, which leaves out those that took too few or too small steps.
    UserError for runs without a judge.
    """
    points = [_point(path.parent.name, results.read(path)) for path in sorted(folder.glob("*/results.csv"))]
    upper = sorted(points, key=lambda point: point.x)[len(points) // 2 :]
    found = [spearman(f"{which}: Spearman of score and log2_rank", [p.x for p in those], [p.y for p in those])
             for which, those in (("settings", points), ("upper half of the settings", upper))]  # fmt: skip
    return Analysis(found, points, ("mean score", "mean log₂ rank at the judge"))


def _point(name: str, rows: Sequence[results.Row]) -> Point:
    alive = [row for row in rows if row.state != "dead" and row.judge_rank is not None]
    if not alive:
        raise UserError(f"no picture of {name} was judged: make the run again with network@judge=NAME")
    scores = sum(row.score for row in alive) / len(alive)
    judged = mean_over_classes(name, [math.log2(row.judge_rank or 1) for row in alive], [row.unit for row in alive])
    return Point(name, scores, judged.value, judged.low, judged.high)
