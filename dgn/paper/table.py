"""A claim's table: the numbers of its runs, their differences, and what its analysis adds; `docs/paper/NAME.csv`."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from dgn.base.errors import UserError
from dgn.measures.intervals import Measure
from dgn.measures.measure import record
from dgn.paper import steps
from dgn.paper.settings import ClaimSettings, PaperSettings
from dgn.report import measured


@dataclass(frozen=True)
class Point:
    """A dot of a claim's curve: one run or network, with the bounds of its 95 % interval in y; NaN for none.

    Dots of one `series` are joined and have one colour.
    """

    name: str
    x: float
    y: float
    low: float
    high: float
    series: str = ""


@dataclass(frozen=True)
class Analysis:
    """What an analysis finds.

    Attributes:
        rows: of the claim's table.
        points: of its curve; none where there is no curve.
        axes: what x and y are.
    """

    rows: Sequence[Measure]
    points: Sequence[Point] = ()
    axes: tuple[str, str] = ("", "")


def collected(claim: ClaimSettings) -> list[Measure]:
    """What `dgn measure` wrote for a claim: "RUN: MEASURE", and "FIRST − SECOND: MEASURE"; what has no value, too."""
    found: dict[str, Measure] = {}
    folder = steps.pictures(claim)
    for i, call in enumerate(claim.measured):
        for run in call.runs:
            found |= {one.name: one for one in _read(run, measured.read(folder / run))}
        for pair, rows in measured.compared(steps.compared(claim, i)).items():
            found |= {one.name: one for one in _read(pair, rows)}
    return list(found.values())


def _read(of: str, rows: Sequence[Mapping[str, str]]) -> Iterator[Measure]:
    for row in rows:
        value, low, high = (float(row[key]) if row[key] else math.nan for key in ("value", "low", "high"))
        yield Measure(f"{of}: {row['measure']}", value, low, high, int(row["n"]), row["note"])


def analysed(name: str, folder: Path, settings: PaperSettings, rows: Sequence[Measure]) -> Analysis:
    """The claim's own analysis of its runs, if it has one: a function of their folder, the settings and the rows."""
    function = settings.claims[name].analysis
    if function is None:
        return Analysis([])
    module, _, attribute = function.partition(":")
    found: Analysis = getattr(import_module(module), attribute)(folder, settings, rows)
    return found


def write(docs: Path, name: str, rows: Sequence[Measure], points: Sequence[Point]) -> None:
    """The table, and the points of the curve if there are any, each atomically."""
    measured.write(docs / f"{name}.csv", [record(one) for one in rows])
    if points:
        measured.write(docs / f"{name}.points.csv", [vars(one) for one in points])


def read(docs: Path, name: str) -> list[Measure]:
    """The rows of a claim's table; none where it has none yet. UserError if it is not one."""
    rows = measured.read(docs, f"{name}.csv")
    try:
        found = [(row["measure"].partition(": "), row) for row in rows]
        return [one for (of, _, rest), row in found for one in _read(of, [row | {"measure": rest}])]
    except ValueError as error:
        raise UserError(
            f"{docs / name}.csv is not a table of measures ({error}): delete it, and measure again"
        ) from None


def effects(claim: ClaimSettings, rows: Sequence[Measure]) -> dict[str, Measure]:
    """The rows that decide, by their names; UserError for one that the table lacks."""
    by_name: dict[str, Any] = {one.name: one for one in rows}
    for effect in claim.effects:
        if effect.name not in by_name:
            raise UserError(f"no run of the claim has the row {effect.name!r}: correct its effects in conf/paper.yaml")
    return {effect.name: by_name[effect.name] for effect in claim.effects}
