"""A network that was made to fool feature visualisation: is it the class that pictures show, or its photograph?"""

from collections.abc import Sequence
from pathlib import Path

from dgn.measures.finished import Finished
from dgn.measures.intervals import Measure, mean_over_classes, paired
from dgn.measures.look import Eye
from dgn.measures.real import RealImages
from dgn.networks.fooled import shown_class
from dgn.paper import judged
from dgn.paper.settings import PaperSettings
from dgn.paper.table import Analysis

PER_CLASS = 20  # held-out images of a class


def fooled(folder: Path, settings: PaperSettings, rows: Sequence[Measure]) -> Analysis:
    """Of each run the judge's mean log₂ rank of the class and of the photograph's class, and the target's accuracy."""
    eye, real = judged.eye(settings), judged.real_images(settings, PER_CLASS)
    ranks, found, right = dict[str, list[float]](), list[Measure](), dict[str, tuple[list[float], list[str]]]()
    classes: list[str] = []
    for table in sorted(folder.glob("*/results.csv")):
        run = Finished.read(table.parent)
        target = judged.named(judged.target_of(run.folder))
        names = target.judge.names.classes
        classes, pictures = [one or "" for one in run.classes], [run.folder / row.image for row in run.rows]
        shown = [names[shown_class(names.index(one), len(names))] for one in classes]
        own, others = (judged.log2_ranks(eye, pictures, of) for of in (classes, shown))
        ranks[run.name] = own
        found += [mean_over_classes(f"{run.name}: log2_rank of the class", own, classes),
                  mean_over_classes(f"{run.name}: log2_rank of the photograph", others, classes),
                  paired(f"{run.name}: class less photograph", own, others, classes)]  # fmt: skip
        right[run.name] = accuracy(target, real)
        found.append(mean_over_classes(f"{run.name}: held-out top-1", *right[run.name]))
    pairs = (("codes", "pixels"), ("codes", "plain_codes"), ("codes_wide", "codes"), ("codes_wider", "codes"))
    found += [paired(f"{a} − {b}: log2_rank of the class", ranks[a], ranks[b], classes) for a, b in pairs]
    found += [paired(f"{name} − plain_codes: held-out top-1", right[name][0], right["plain_codes"][0], right[name][1])
              for name in ("codes", "codes_wide", "codes_wider")]  # fmt: skip
    return Analysis(found)


def accuracy(target: Eye, real: RealImages) -> tuple[list[float], list[str]]:
    """Of real images of all classes 1 where the target names the class first, else 0; and the class of each."""
    seen = target.look((x, of, of) for x, of in real.of(real.names.classes))
    return [float(rank == 1) for rank in seen.ranks], seen.classes
