"""Finished batches on disk, from which a stopped run resumes: `parts/NNNNNN.safetensors`.

A shard is a share of these batches. Rows of one batch stay together, so every picture is the same as in the whole run.
"""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file
from torch import Tensor

from dgn import settings
from dgn.base.errors import UserError
from dgn.base.files import write_text
from dgn.report import results
from dgn.synthesis.settings import SynthesizeSettings
from dgn.units import Unit


def begin(
    output: Path,
    config: SynthesizeSettings,
    batches: Mapping[int, Sequence[tuple[Unit, int]]],
    contents: Mapping[str, str],
) -> None:
    """Write `config.yaml` and `parts/contents.json`; UserError if the folder's earlier run cannot be resumed.

    It cannot be resumed with other settings, weights, input files or rows.

    Args:
        batches: unit and seed of every row of a batch, by its first row.
        contents: identities of everything else that determines the pictures, by name.
    """
    now = settings.counted(config.plain())
    _same(output, now, settings.counted(settings.read(output) or now), "{key} was {before} and is now {now}")
    kept, before = output / "parts" / "contents.json", contents
    asked = {first: [(unit.text, seed) for unit, seed in batch] for first, batch in batches.items()}
    there = {int(path.stem): _rows(path) for path in _paths(output)}
    if (output / "manifest.json").exists():  # it is complete, so all rows are one
        about = json.loads((output / "manifest.json").read_text("utf-8"))
        before = contents | about["weights"] | about.get("contents", {})
        asked = {0: [row for batch in asked.values() for row in batch]}
        there = {0: results.read(output / "results.csv")}
    elif kept.exists():
        before = contents | json.loads(kept.read_text("utf-8"))
    _same(output, contents, before, "its {key} has changed")
    for first, rows in there.items():
        if [(row.unit, row.seed) for row in rows] != asked.get(first):
            raise UserError(f"cannot resume {output}: it has other units; set another output=DIR")
    settings.write(config.plain(), output, "synthesize")
    write_text(kept, json.dumps(contents))


def _same(output: Path, now: Mapping[str, Any], before: Mapping[str, Any], what: str) -> None:
    if key := results.difference(now, before):
        change = what.format(key=key, before=before.get(key), now=now.get(key))
        raise UserError(f"cannot resume {output}: {change}; set another output=DIR")


def batches(rows: int, size: int, shard: str | None) -> list[int]:
    """The first row of every batch of the run, or of every n-th one for the shard "i/n"."""
    firsts = list(range(0, rows, size))
    if shard is None:
        return firsts
    match = re.fullmatch(r"(\d+)/(\d+)", str(shard))
    if not match or int(match[1]) >= int(match[2]):
        raise UserError(f"shard={shard} is not a share: set shard=0/4, 1/4, 2/4 or 3/4 for a quarter")
    chosen = firsts[int(match[1]) :: int(match[2])]
    if not chosen:
        raise UserError(f"shard={shard} is empty: {rows} rows make {len(firsts)} batches of batch_size={size}, so set "
                        f"{len(firsts)} shards or fewer (shard=0/{len(firsts)})")  # fmt: skip
    return chosen


def _path(output: Path, first: int) -> Path:
    return output / "parts" / f"{first:06d}.safetensors"


def _paths(output: Path) -> list[Path]:
    """The finished batches, in order."""
    return sorted((output / "parts").glob("*.safetensors"))


def _rows(path: Path) -> list[results.Row]:
    with safe_open(path, "np") as file:
        return [results.Row(**row) for row in json.loads(file.metadata()["rows"])]


def done(output: Path, first: int) -> bool:
    """Whether the batch that begins with row `first` is complete."""
    return _path(output, first).exists()


def save(output: Path, first: int, codes: Tensor, curves: Tensor, rows: Sequence[dict[str, Any]]) -> None:
    """Keep a batch, after its pictures are written."""
    tensors = {"codes": codes.numpy(), "curves": curves.numpy()}
    results.write_tensors(_path(output, first), tensors, rows=json.dumps(rows))


def join(output: Path) -> list[results.Row]:
    """Write `codes.safetensors` from all parts and give the rows."""
    parts = [load_file(path) for path in _paths(output)]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in ("codes", "curves")}
    results.write_tensors(output / "codes.safetensors", joined)
    return [row for path in _paths(output) for row in _rows(path)]


def remove(output: Path) -> None:
    """Delete the batches; the tables now hold everything."""
    shutil.rmtree(output / "parts", ignore_errors=True)
