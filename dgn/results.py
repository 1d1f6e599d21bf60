"""A run's results as files that anything can read: what `report` makes its pages from."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from dgn.errors import UserError
from dgn.files import write_text


@dataclass(frozen=True)
class Row:
    """One unit and seed.

    Attributes:
        score: of the picture shown, as `objective` has it, by default before softmax and ReLU; of a minimised unit,
            negated.
        probability, rank: of an output unit among its layer, the rank from 1; None for units of other layers, for sums
            and for directions.
        code_norm: Euclidean norm of the final code.
        share_at_bound: of the code's elements, in [0, 1].
        state: "done", or "dead" where the gradient was zero or not finite and the climb ended.
        seconds: of its batch, divided by the batch's rows.
        image: path of the picture in the run's folder.
    """

    row: int
    unit: str
    label: str
    seed: int
    score: float
    probability: float | None
    rank: int | None
    code_norm: float
    share_at_bound: float
    state: str
    steps: int
    seconds: float
    image: str


def summary(rows: Sequence[Row]) -> str:
    """One line: how many pictures the target names as wanted, the mean score, dead rows."""
    alive = [row for row in rows if row.state == "done"]
    wanted = [row for row in rows if row.rank is not None and not row.unit.startswith("-")]
    words = []
    if wanted:
        first = sum(row.rank == 1 for row in wanted)
        words.append(f"target top-1 {100 * first / len(wanted):.1f} % of {len(wanted)} pictures")
    if alive:
        words.append(f"mean score {sum(row.score for row in alive) / len(alive):.2f}")
    if len(alive) < len(rows):
        words.append(f"{len(rows) - len(alive)} rows dead")
    return ", ".join(words)


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write `results.csv`, whole or not at all."""
    text = io.StringIO()
    table = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in asdict(row).items()})
    write_text(path, text.getvalue())


def read(path: Path) -> list[Row]:
    """Read `results.csv`; UserError if it is not one."""
    try:
        with path.open(newline="") as file:
            return [_row(record) for record in csv.DictReader(file)]
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"{path} is not the results table of a run ({error})") from None


def _row(record: dict[str, str]) -> Row:
    kinds = {"row": int, "seed": int, "rank": int, "steps": int, "score": float, "probability": float,
             "code_norm": float, "share_at_bound": float, "seconds": float}  # fmt: skip
    values: dict[str, Any] = {field.name: record[field.name] for field in fields(Row)}
    for name, kind in kinds.items():
        values[name] = kind(values[name]) if values[name] else None
    return Row(**values)
