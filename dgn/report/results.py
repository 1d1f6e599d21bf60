"""A run's results as files that anything can read: what `report` makes its pages from."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from dgn.base.errors import UserError
from dgn.base.files import whole, write_text


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
        judge_rank: of a maximised class among the judge's outputs, from 1; None where nobody judged, or could.
        relative: score over the best real image's; None where no real images were scored, or too few.
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
    judge_rank: int | None = None
    relative: float | None = None


def measures(rows: Sequence[Row]) -> dict[str, float]:
    """The figures by which runs are compared.

    Pictures, dead ones, mean score, share at a bound and relative activation; in % the target's top-1 and the judge's
    top-1 and top-5. The means are over rows that are not dead; the percentages count what is to be maximised at the
    target's output. Each is left out where there is nothing to count.
    """
    alive, wanted = [row for row in rows if row.state == "done"], _wanted(rows)
    found = {
        "pictures": float(len(rows)),
        "dead": float(len(rows) - len(alive)),
        "seconds": sum(row.seconds for row in rows),
    }
    if alive:
        found["score"] = sum(row.score for row in alive) / len(alive)
        found["share_at_bound"] = sum(row.share_at_bound for row in alive) / len(alive)
    if relative := [row.relative for row in alive if row.relative is not None]:
        found["relative"] = sum(relative) / len(relative)
    if wanted:
        found["target_top1"] = 100 * sum(row.rank == 1 for row in wanted) / len(wanted)
    if ranks := judged(rows):
        for k in (1, 5):
            found[f"judge_top{k}"] = 100 * sum(rank <= k for rank in ranks) / len(ranks)
    return found


def _wanted(rows: Sequence[Row]) -> list[Row]:
    """Rows that maximise an output unit: the target can name them."""
    return [row for row in rows if row.rank is not None and not row.unit.startswith("-")]


def judged(rows: Sequence[Row]) -> list[int]:
    """The judge's ranks, of the rows that have one."""
    return [row.judge_rank for row in rows if row.judge_rank is not None]


def summary(rows: Sequence[Row]) -> str:
    """One line: how many pictures the target names as wanted, and the judge, the mean score, dead rows."""
    found = measures(rows)
    words = []
    if "target_top1" in found:
        words.append(f"target top-1 {found['target_top1']:.1f} % of {len(_wanted(rows))} pictures")
    if "judge_top1" in found:
        words.append(
            f"judge top-1 {found['judge_top1']:.1f} %, top-5 {found['judge_top5']:.1f} % of {len(judged(rows))}"
        )
    if "score" in found:
        words.append(f"mean score {found['score']:.2f}")
    if "relative" in found:
        words.append(f"{found['relative']:.2f} × the best real image's")
    if found["dead"]:
        words.append(f"{found['dead']:.0f} rows dead")
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
    """Read `results.csv`, an older one too, which has fewer columns; UserError if it is not one."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [_row(record) for record in csv.DictReader(file)]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UserError(f"{path} is not the results table of a run ({error})") from None


def read_real(folder: Path) -> list[dict[str, str]]:
    """The lines of a run's `real.csv`, none where it has none; UserError if it is not one."""
    path = folder / "real.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [record | {"image": _inside(record["image"])} for record in csv.DictReader(file)]
    except FileNotFoundError:
        return []
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UserError(f"{path} is not the table of a run's real images ({error})") from None


def _inside(image: str) -> str:
    """The path of a picture; ValueError for one that leads out of its run's folder, to what a page must not show."""
    if Path(image).is_absolute() or ".." in Path(image).parts:
        raise ValueError(f"{image} is not in its folder")
    return image


def _row(record: dict[str, str]) -> Row:
    kinds = {"row": int, "seed": int, "rank": int, "steps": int, "score": float, "probability": float,
             "code_norm": float, "share_at_bound": float, "seconds": float, "judge_rank": int,
             "relative": float}  # fmt: skip
    needed = [field.name for field in fields(Row) if field.name in record or field.default is MISSING]
    values: dict[str, Any] = {name: record[name] for name in needed}
    for name in kinds.keys() & values.keys():
        values[name] = kinds[name](values[name]) if values[name] else None
    _inside(values["image"])
    return Row(**values)


def about(folder: Path) -> dict[str, Any]:
    """A run's `manifest.json`, which is written last; UserError where there is none."""
    try:
        return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} is not the folder of a finished run ({error})") from None


def write_tensors(
    path: Path, shapes: Mapping[str, Sequence[int]], pieces: Callable[[str], Iterable[np.ndarray]]
) -> None:
    """Write float32 tensors as safetensors, whole or not at all, with one piece of one of them in memory at a time.

    `pieces(name)` gives a tensor's rows in order, some at a time; the library's own writer wants all at once.
    """
    header, end = {}, 0
    for name in sorted(shapes):
        begin, end = end, end + 4 * int(np.prod(shapes[name]))
        header[name] = {"dtype": "F32", "shape": list(shapes[name]), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with whole(path) as part, part.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in sorted(shapes):
            for piece in pieces(name):
                file.write(np.ascontiguousarray(piece, dtype="<f4").tobytes())
        if file.tell() != 8 + len(text) + end:
            raise ValueError(f"the pieces of {path.name} are not of the shapes {dict(shapes)}")
