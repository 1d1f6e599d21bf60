"""Directions in a layer's channels, read from files."""

import os
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from dgn.base.errors import UserError
from dgn.networks import weights

SUFFIXES = (".safetensors", ".pt", ".pth", ".npy")


def read(file: str, channels: int) -> Tensor:
    """The direction in a file: the only tensor there, or the one called "direction". It is not normalised.

    Returns (channels,) float32. Raises UserError if the file cannot be read, or holds something else.
    """
    path = Path(os.path.expanduser(file))
    if not path.is_file():
        raise UserError(f"there is no file {path}: a direction needs an existing file in the unit's text")
    direction = _array(path) if path.suffix == ".npy" else _tensor(path)
    if tuple(direction.shape) != (channels,):
        shape = tuple(direction.shape)
        raise UserError(f"the direction in {path} has shape {shape}: this layer needs ({channels},)")
    if direction.is_complex():
        raise UserError(f"the direction in {path} is complex: save real numbers")
    direction = direction.float()
    if not torch.isfinite(direction).all() or not direction.any():
        raise UserError(f"the direction in {path} is zero or holds NaN or inf: save finite numbers")
    return direction


def _array(path: Path) -> Tensor:
    try:
        with path.open("rb") as file:  # numpy leaves a file open that it cannot read
            return torch.from_numpy(np.load(file, allow_pickle=False))
    except (OSError, ValueError, TypeError, AttributeError, EOFError, BadZipFile) as error:
        raise UserError(f"cannot read a direction from {path} ({error}): save it by np.save") from None


def _tensor(path: Path) -> Tensor:
    tensors = weights.read(path)
    if "direction" not in tensors and len(tensors) != 1:
        raise UserError(f"{path} holds {len(tensors)} tensors: save the direction alone, or under the name 'direction'")
    return tensors.get("direction", next(iter(tensors.values())))
