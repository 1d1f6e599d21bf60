"""A run's finished batches on disk, so that a stopped run goes on where it was: `parts/NNNNN.safetensors`."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from dgn import config as settings
from dgn.errors import UserError
from dgn.files import whole
from dgn.results import Row

FREE = ("resume", "output", "trainer", "title")  # settings that may differ when a run goes on


def begin(output: Path, config: DictConfig) -> None:
    """Write `config.yaml`; UserError where the folder's earlier run had other settings, whose rows would not fit."""
    now = settings.plain(config)
    before = settings.read(output) or now
    for key in now:
        if key not in FREE and before.get(key) != now[key]:
            raise UserError(f"the run in {output} was started with another {key}: type output=DIR for a new one")
    settings.write(config, output, "synthesize")


def _path(output: Path, first: int) -> Path:
    return output / "parts" / f"{first:06d}.safetensors"


def done(output: Path, first: int) -> bool:
    """Whether the batch that begins with row `first` is complete."""
    return _path(output, first).exists()


def save(output: Path, first: int, codes: Tensor, curves: Tensor, rows: Sequence[dict[str, Any]]) -> None:
    """Keep a batch, after its pictures are written."""
    with whole(_path(output, first)) as part:
        save_file({"codes": codes.contiguous(), "curves": curves.contiguous()}, part, {"rows": json.dumps(rows)})


def join(output: Path) -> tuple[list[Row], Tensor, Tensor]:
    """All rows in order, their codes and score curves."""
    rows, codes, curves = [], [], []
    for path in sorted((output / "parts").glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            rows += [Row(**row) for row in json.loads(file.metadata()["rows"])]
            codes.append(file.get_tensor("codes"))
            curves.append(file.get_tensor("curves"))
    return rows, torch.cat(codes), torch.cat(curves)


def remove(output: Path) -> None:
    """The tables hold everything now."""
    shutil.rmtree(output / "parts")
