"""Pictures and scores as files, for a rig that is not Python: `ask/0007` appears, its scores are awaited."""

import csv
import io
import math
import shutil
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from dgn.base import images
from dgn.base.errors import UserError
from dgn.base.files import read_text, write_text

EVERY = 0.2  # seconds from one look for the scores to the next
PART = ".next-"  # prefix of a generation's folder while it is written
SCORES, COLUMNS = "scores.csv", ("picture", "score")


class Exchange:
    """Scores of pictures through a folder.

    Every generation appears as a whole, as `ask/NUMBER` with its pictures and `pictures.csv`, which lists them. Then
    `ask/NUMBER/scores.csv` is awaited: a line `picture,score`, then a line for each measurement, in any order. A
    picture may have several, which are averaged; one without a score has an empty one. A file is read only if it ends
    with a line break and has every picture, and what is wrong is said once; then the next version is awaited.

    Attributes:
        folder: that of the search; set by who uses it.
        number: of the generation, from 0; likewise.
    """

    folder: Path
    number: int

    def __call__(self, pictures: Tensor) -> Tensor:
        """(N, C, H, W) in [0, 1] to (N,), NaN where there is no score."""
        asked = self.folder / "ask" / f"{self.number:04d}"
        names = [f"{i:03d}.png" for i in range(len(pictures))]
        if not asked.exists():
            publish(asked, pictures, names)
        print(f"waiting for {asked / SCORES}", flush=True)
        said = ""
        while True:
            try:
                if (asked / SCORES).exists():
                    return read(asked / SCORES, names)
            except UserError as error:
                if str(error) != said:
                    said = str(error)
                    print(f"not read: {said}", file=sys.stderr, flush=True)
            time.sleep(EVERY)


def publish(folder: Path, pictures: Tensor, names: list[str]) -> None:
    """Write pictures (N, C, H, W) into the new `folder`, which appears with all of them."""
    part = folder.with_name(PART + folder.name)
    shutil.rmtree(part, ignore_errors=True)  # of a search that was killed
    for name, picture in zip(names, pictures, strict=True):
        images.save(part / name, picture)
    write_text(part / "pictures.csv", "".join(f"{name}\n" for name in ("picture", *names)))
    part.rename(folder)


def read(path: Path, names: list[str]) -> Tensor:
    """The mean score of each picture, (N,), NaN without one; UserError for a file that is not complete or not right."""
    text = read_text(path)
    lines = list(csv.reader(io.StringIO(text)))
    if not text.endswith("\n"):
        raise UserError(f"{path} does not end with a line break, so it may not be complete: end its last line")
    if not lines or tuple(cell.strip() for cell in lines[0]) != COLUMNS:
        raise UserError(f"the first line of {path} is not {','.join(COLUMNS)}: write that line first")
    found: dict[str, list[float]] = {name: [] for name in names}
    seen = set()
    for number, line in enumerate(lines[1:], 2):
        if not line:
            continue
        name, score = _row(path, number, line, found)
        seen.add(name)
        if not math.isnan(score):
            found[name].append(score)
    if missing := [name for name in names if name not in seen]:
        raise UserError(f"{path} has {len(seen)} of {len(names)} pictures, and {missing[0]} is not among them: write a "
                        "line for each, with an empty score where there is none")  # fmt: skip
    return torch.tensor([sum(scores) / len(scores) if scores else math.nan for scores in found.values()],
                        dtype=torch.float64)  # fmt: skip


def _row(path: Path, number: int, line: list[str], known: dict[str, list[float]]) -> tuple[str, float]:
    """A picture's name and its score, NaN for an empty one; UserError for what is neither."""
    if len(line) != len(COLUMNS):
        raise UserError(f"line {number} of {path} has {len(line)} cells: write the picture and its score, 000.png,12.5")
    name, score = (cell.strip() for cell in line)
    if name not in known:
        raise UserError(f"line {number} of {path} names {name!r}, which is no picture of this generation: write "
                        f"{next(iter(known))} or another one of its folder")  # fmt: skip
    try:
        value = float(score) if score else math.nan
    except ValueError:
        raise UserError(
            f"line {number} of {path} has the score {score!r}: write a number such as 12.5, or nothing"
        ) from None
    if math.isinf(value):
        raise UserError(f"line {number} of {path} has the score {score}: write a finite number, or nothing")
    return name, value
