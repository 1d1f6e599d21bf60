"""Do hidden units of a network of scenes detect objects? Named by what fires them, judged by their pictures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from dgn.base.errors import UserError
from dgn.measures.intervals import Measure, mean_over_classes, paired
from dgn.networks import class_names
from dgn.paper import judged
from dgn.paper.settings import PaperSettings
from dgn.paper.table import Analysis
from dgn.report import results

LEAST = 3  # of the nine images that fire a unit most: so many must be of one class for it to be named


def detectors(folder: Path, settings: PaperSettings, rows: Sequence[Measure]) -> Analysis:
    """Of each run: log₂ rank of the unit's class in the unit's picture ("own"), and in other units' pictures ("other").

    Also how many of the units could be named. UserError for a run without real images.
    """
    eye, found = judged.eye(settings), list[Measure]()
    for table in sorted(folder.glob("*/results.csv")):
        run, name = table.parent, table.parent.name
        pictures = {row.unit: run / row.image for row in results.read(table)}
        of = named(results.read_real(run))
        if not of:
            raise UserError(f"no unit of {run} could be named: make it again with data.root=DIR real_images=9")
        units = list(of)
        other = others(of)
        own_ranks = judged.log2_ranks(eye, [pictures[unit] for unit in units], [of[unit] for unit in units])
        other_ranks = judged.log2_ranks(eye, [pictures[other[unit]] for unit in units], [of[unit] for unit in units])
        found += [mean_over_classes(f"{name} own: log2_rank", own_ranks, units),
                  mean_over_classes(f"{name} other: log2_rank", other_ranks, units),
                  paired(f"{name} own − {name} other: log2_rank", own_ranks, other_ranks, units)]  # fmt: skip
    return Analysis(found)


def named(real: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The class of each unit, by the lines of a run's real.csv; units whose images are of no one class have none."""
    counts: dict[str, Counter[str]] = {}
    for line in real:
        folder = Path(line["name"]).parts[-2]
        counts.setdefault(line["unit"], Counter())[class_names.readable([folder])[0]] += 1
    return {unit: count.most_common(1)[0][0] for unit, count in counts.items() if count.most_common(1)[0][1] >= LEAST}


def others(of: Mapping[str, str]) -> dict[str, str]:
    """For each unit the next one, in order, that is named otherwise; itself where there is none."""
    units = list(of)
    return {
        unit: next((one for one in [*units[i + 1 :], *units[:i]] if of[one] != of[unit]), unit)
        for i, unit in enumerate(units)
    }
