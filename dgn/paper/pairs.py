"""Two units at once: does one picture show both classes, against pictures of either alone?"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dgn.measures.intervals import Measure, mean_over_classes, paired
from dgn.paper import judged
from dgn.paper.settings import PaperSettings
from dgn.paper.table import Analysis
from dgn.report import results

Pair = tuple[str, str]


def both(folder: Path, settings: PaperSettings, rows: Sequence[Measure]) -> Analysis:
    """The worse of the two classes' log₂ ranks: of pictures of the sum (runs "both" and "in_turn"), and of either alone
    ("first", "second").

    Lower is better: 0 where the judge names both classes first, which no picture can have of two. Of either alone it is
    the mean of the two pictures'.
    """
    eye = judged.eye(settings)
    runs = {name: results.read(folder / name / "results.csv") for name in ("both", "in_turn", "first", "second")}
    names = judged.names_of(folder / "both", runs["both"])
    pairs: list[Pair] = [(one[0], one[1]) for one in names]
    worse = {name: worst(eye, [folder / name / row.image for row in run], pairs) for name, run in runs.items()}
    return Analysis(compared(worse, [" and ".join(pair) for pair in pairs]))


def worst(eye: judged.Eye, pictures: Sequence[Path], pairs: Sequence[Pair]) -> list[float]:
    """Of each picture the higher log₂ rank of its pair's two classes."""
    first, second = ([pair[place] for pair in pairs] for place in (0, 1))
    ranks = zip(judged.log2_ranks(eye, pictures, first), judged.log2_ranks(eye, pictures, second), strict=True)
    return [max(pair) for pair in ranks]


def compared(worse: Mapping[str, Sequence[float]], pairs: Sequence[str]) -> list[Measure]:
    """The rows: of sums, climbed as such and in turn, of either alone, and differences; intervals are over pairs."""
    alone = [(a + b) / 2 for a, b in zip(worse["first"], worse["second"], strict=True)]
    runs = {"both": worse["both"], "in_turn": worse["in_turn"], "alone": alone}
    rows = [mean_over_classes(f"{name}: worse log2_rank", values, pairs) for name, values in runs.items()]
    return rows + [
        paired(f"{a} − {b}: worse log2_rank", runs[a], runs[b], pairs)
        for a, b in (("both", "alone"), ("in_turn", "alone"), ("in_turn", "both"))
    ]
