"""Read and write a run's results; the pages are made from these files."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save as serialise

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
    alive, wanted = [row for row in rows if row.state == "done"], ranked(rows)
    numbers = {
        "pictures": float(len(rows)),
        "dead": float(len(rows) - len(alive)),
        "seconds": sum(row.seconds for row in rows),
    }
    if alive:
        numbers["score"] = sum(row.score for row in alive) / len(alive)
        numbers["share_at_bound"] = sum(row.share_at_bound for row in alive) / len(alive)
    if relative := [row.relative for row in alive if row.relative is not None]:
        numbers["relative"] = sum(relative) / len(relative)
    if wanted:
        numbers["target_top1"] = 100 * top(wanted, 1) / len(wanted)
    if ranks := judged(rows):
        for k in (1, 5):
            numbers[f"judge_top{k}"] = 100 * top(ranks, k) / len(ranks)
    return numbers


def top(ranks: Sequence[int], k: int) -> int:
    """How many of the ranks, which begin at 1, are k or better."""
    return sum(rank <= k for rank in ranks)


def ranked(rows: Sequence[Row]) -> list[int]:
    """The target's own ranks of the rows that maximise one of its outputs, which alone it can name."""
    return [row.rank for row in rows if row.rank is not None and not row.unit.startswith("-")]


def judged(rows: Sequence[Row]) -> list[int]:
    """The judge's ranks, of the rows that have one."""
    return [row.judge_rank for row in rows if row.judge_rank is not None]


def summary(rows: Sequence[Row]) -> str:
    """One line: how many pictures the target names as wanted, and the judge, the mean score, dead rows."""
    numbers = measures(rows)
    words = []
    if "target_top1" in numbers:
        words.append(f"target top-1 {numbers['target_top1']:.1f} % of {count(len(ranked(rows)), 'picture')}")
    if "judge_top1" in numbers:
        words.append(
            f"judge top-1 {numbers['judge_top1']:.1f} %, top-5 {numbers['judge_top5']:.1f} % of {len(judged(rows))}"
        )
    if "score" in numbers:
        words.append(f"mean score {numbers['score']:.2f}")
    if "relative" in numbers:
        words.append(f"{numbers['relative']:.2f} × the best real image's")
    if numbers["dead"]:
        words.append(f"{count(int(numbers['dead']), 'row')} dead")
    return ", ".join(words)


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write `results.csv` atomically."""
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
        raise UserError(f"{path} is not a run's results table ({error}): choose the folder of a finished run") from None


def read_real(folder: Path) -> list[dict[str, str]]:
    """The lines of a run's `real.csv`, none where it has none; UserError if it is not one."""
    path = folder / "real.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [_shown(record) for record in csv.DictReader(file)]
    except FileNotFoundError:
        return []
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UserError(f"{path} is not a run's table of real images ({error}): delete it, or repeat the run") from None


def _shown(record: dict[str, str]) -> dict[str, str]:
    """A line of `real.csv`; ValueError where its facet is no number."""
    int(record.get("facet") or 0)
    return record | {"image": _inside(record["image"])}


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
    """A run's `manifest.json`, which is written last; UserError if there is none."""
    try:
        return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{folder} is not the folder of a finished run: {_why_none(folder)}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} is not the folder of a finished run ({error})") from None


def _why_none(folder: Path) -> str:
    """Why a folder without a manifest is no finished run's, and which folder may be meant."""
    if not folder.is_dir():
        return "it does not exist"
    if (folder / "config.yaml").exists():
        return "it has no manifest.json; resume the run with resume=true"
    near = [*sorted(folder.glob("*/manifest.json")), folder.resolve().parent / "manifest.json"]
    meant = next((path.parent for path in near if path.exists()), None)
    return f"did you mean {meant}?" if meant else "it has no manifest.json, which a run writes at its end"


def panels(config: Mapping[str, Any]) -> list[str]:
    """The names of a run's panels, which are folders in its own; UserError for one that could lead out of it."""
    names = [str(name) for name in config.get("panels") or []]
    for name in names:
        if not re.fullmatch(r"\w[\w .+-]*", name) or name.endswith((" ", ".")):
            raise UserError(f"the panel {name!r} is not a folder name: use letters, digits, '-' and '_'")
    return names


def count(number: int, noun: str) -> str:
    """'1 row', '2 rows'."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """The first key, in alphabetical order, that two records do not have alike; None where they agree."""
    return next((key for key in sorted(one.keys() | other.keys()) if one.get(key) != other.get(key)), None)


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray], **metadata: str) -> None:
    """Write tensors as safetensors, atomically. OSError names a full disk, which `save_file` does not."""
    with whole(path) as part:
        plain = {name: np.ascontiguousarray(value) for name, value in tensors.items()}  # the library takes no strides
        part.write_bytes(serialise(plain, metadata or None))
