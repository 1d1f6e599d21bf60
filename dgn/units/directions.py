"""Directions in a layer's channels, read from files."""

import os
from pathlib import Path

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
    direction = weights.single(path, "direction")
    if tuple(direction.shape) != (channels,):
        shape = tuple(direction.shape)
        raise UserError(f"the direction in {path} has shape {shape}: this layer needs ({channels},)")
    if direction.is_complex():
        raise UserError(f"the direction in {path} is complex: save real numbers")
    direction = direction.float()
    if not torch.isfinite(direction).all() or not direction.any():
        raise UserError(f"the direction in {path} is zero or holds NaN or inf: save finite numbers")
    return direction
