"""Measures of runs as tables: `measures.csv` of a run, `differences.csv` of several, and what a page shows."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dgn.base.errors import UserError
from dgn.base.files import write_text

FILE, DIFFERENCES = "measures.csv", "differences.csv"
COLUMNS = ("measure", "value", "low", "high", "n", "note")


@dataclass(frozen=True)
class Line:
    """One measure as text: `value` with its 95 % interval, `n` pictures; both "" where there is no value."""

    name: str
    value: str
    n: str
    note: str


def write(path: Path, records: Iterable[Mapping[str, object]]) -> None:
    """Write measures atomically; numbers with six digits, and nothing where there is no number."""
    text = io.StringIO()
    rows = [dict(record) for record in records]
    table = csv.DictWriter(text, list(rows[0]) if rows else list(COLUMNS), lineterminator="\n")
    table.writeheader()
    table.writerows({key: _plain(value) for key, value in row.items()} for row in rows)
    write_text(path, text.getvalue())


def read(folder: Path, name: str = FILE) -> list[dict[str, str]]:
    """The lines of a folder's table; none where it has none. UserError if it is not one."""
    try:
        with (folder / name).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
            if any(key not in row or row[key] is None for row in rows for key in COLUMNS):
                raise ValueError("columns are missing")
            return rows
    except FileNotFoundError:
        return []
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{folder / name} is not a table of measures ({error}): delete it, or measure again") from None


def read_if_sound(folder: Path) -> list[dict[str, str]]:
    """The lines of a folder's table, to be kept beside new ones; none where they cannot be read."""
    try:
        rows = read(folder)
        for row in rows:
            line(row)
    except UserError:
        return []
    return [{key: row[key] for key in COLUMNS} for row in rows]


def line(record: Mapping[str, object]) -> Line:
    """A measure as people read it; UserError if its numbers are none."""
    try:
        value, low, high = (_number(record[key]) for key in ("value", "low", "high"))
    except ValueError as error:
        raise UserError(f"a table of measures has {error}: delete it, or measure again") from None
    there = not math.isnan(value)
    shown = digits(value) if there else ""
    if there and not (math.isnan(low) or math.isnan(high)):
        shown += f" [{digits(low)}, {digits(high)}]"
    return Line(str(record["measure"]), shown, str(record["n"]) if there else "", str(record["note"]))


def digits(value: float) -> str:
    """Three significant digits, and at most three behind the point unless the number is smaller than that."""
    size = abs(value)
    if 0 < size < 5e-4:
        return f"{value:.1e}"
    return f"{value:.{3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0}f}"


@dataclass(frozen=True)
class Table:
    """Measures as a page shows them: a row a measure, a column a run or a difference of two.

    Attributes:
        columns: their names.
        rows: a measure's name, and of each column its line or None.
        notes: what the lines say, each once; a line's number in it is `notes.index(line.note) + 1`.
    """

    columns: list[str]
    rows: list[tuple[str, list[Line | None]]]
    notes: list[str]


def table(columns: Mapping[str, Sequence[Mapping[str, object]]]) -> Table | None:
    """The table of some runs' measures and differences, by the column's name; None where nothing was measured."""
    lines = {name: {(one := line(record)).name: one for record in records} for name, records in columns.items()}
    lines = {name: those for name, those in lines.items() if those}
    names = dict.fromkeys(name for those in lines.values() for name in those)
    if not names:
        return None
    notes = dict.fromkeys(one.note for those in lines.values() for one in those.values() if one.note)
    rows = [(name, [those.get(name) for those in lines.values()]) for name in names]
    return Table(list(lines), rows, list(notes))


def compared(output: Path) -> dict[str, list[dict[str, str]]]:
    """The differences that stand in a folder, by "FIRST − SECOND"."""
    columns: dict[str, list[dict[str, str]]] = {}
    for row in read(output, DIFFERENCES):
        columns.setdefault(f"{row.get('first')} − {row.get('second')}", []).append(row)
    return columns


def text(records: Iterable[Mapping[str, object]]) -> str:
    """Measures as lines of text, for a terminal."""
    lines = [line(record) for record in records]
    widths = [max((len(getattr(one, key)) for one in lines), default=0) for key in ("name", "value", "n")]
    return "\n".join(
        f"  {one.name:<{widths[0]}}  {one.value:<{widths[1]}}  {one.n:>{widths[2]}}  {one.note}".rstrip()
        for one in lines
    )


def _number(value: object) -> float:
    return float(str(value)) if value != "" else math.nan


def _plain(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value
