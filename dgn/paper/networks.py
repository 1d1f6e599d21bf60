"""The networks that claims need: how each was trained and how good it is, from its own folder; docs/paper/networks.csv.

What a network's folder says is kept in the table, so that the page can be written where the network is not.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from dgn.base.errors import UserError
from dgn.evaluation import verdict
from dgn.paper import steps
from dgn.paper.settings import PaperSettings
from dgn.report import measured

FILE, LOG = "networks.csv", "metrics.csv"
MEASURED = {"top1": "val/top1", "top5": "val/top5", "unexplained": f"val/{verdict.KEY}"}

SECTION = """## The networks

Trained for these claims, each by `dgn LINE output=runs/paper/NAME`. Held-out: the class is the first, and among the
first five, %; of a generator, what its reconstructions leave [unexplained](training.md#what-to-look-at-while-it-runs):
0 is perfect, at 1 the mean would have done as well. Those that ship are in [their card](../dgn/assets/README.md).

| NAME | LINE | iterations | images seen | held-out |
| --- | --- | --- | --- | --- |
{rows}
"""


@dataclass(frozen=True)
class Record:
    """One trained network; as text, "" where there is nothing.

    Attributes:
        name: in conf/paper.yaml.
        line: of `dgn train`, with "{images}" and "{places}" as they stand there.
        iterations: that it was trained for.
        images: that it has seen.
        top1, top5: of a classifier, shares of held-out images, %.
        unexplained: of a generator, what its reconstructions of held-out images leave unexplained, as a share.
    """

    name: str
    line: str
    iterations: str
    images: str
    top1: str = ""
    top5: str = ""
    unexplained: str = ""


def update(settings: PaperSettings, docs: Path) -> list[Record]:
    """Write the table in `docs` of all networks that are here or that it has already; its rows."""
    known = {one.name: one for one in read(docs)}
    for name, made in settings.made.items():
        path = steps.FOLDER / made.file
        if path.exists() and (found := _trained(name, made.line, path.parent / LOG)):
            known[name] = found
    rows = [known[name] for name in settings.made if name in known]
    if rows:
        measured.write(docs / FILE, [asdict(one) for one in rows])
    return rows


def read(docs: Path) -> list[Record]:
    """The table in `docs`; none where there is none yet. UserError if it is not one."""
    path = docs / FILE
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [Record(**{one.name: row[one.name] for one in fields(Record)}) for row in csv.DictReader(file)]
    except (KeyError, ValueError, csv.Error) as error:
        raise UserError(f"{path} is not a table of networks ({error}): delete it, and run dgn paper again") from None


def _trained(name: str, line: str, log: Path) -> Record | None:
    """What a training's log says at its end; 0 iterations where it has none, as nothing was trained."""
    if not log.exists():
        return Record(name, line, "0", "0")
    with log.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    last = {row["metric"]: row["value"] for row in rows}
    values = {key: measured.digits(float(last[metric])) for key, metric in MEASURED.items() if metric in last}
    return Record(name, line, rows[-1]["iteration"], rows[-1]["images"], **values) if rows else None


def section(records: Iterable[Record]) -> str:
    """The page's section of them."""
    rows = "\n".join(_rows(records))
    return SECTION.format(rows=rows)


def _rows(records: Iterable[Record]) -> Iterator[str]:
    for one in records:
        held = f"{one.top1} / {one.top5} %" if one.top1 else f"unexplained {one.unexplained}" if one.unexplained else ""
        line = one.line.replace("{images}", "TINY").replace("{places}", "MINIPLACES")
        yield f"| `{one.name}` | `{line}` | {int(one.iterations):,} | {int(one.images):,} | {held} |"
