"""Directions and patterns in a layer's channels, read from files."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from dgn.base import images
from dgn.base.errors import UserError
from dgn.networks import weights

OF_TENSORS = (".safetensors", ".pt", ".pth", ".npy")
OF_IMAGES = tuple(sorted(images.SUFFIXES))
SUFFIXES = (*OF_TENSORS, *OF_IMAGES)


def read(file: str, shape: Sequence[int], see: Callable[[Path], Tensor] | None = None) -> Tensor:
    """The direction in a file: the only tensor there, or the one called "direction". It is not normalised.

    Args:
        file: of a tensor, or of an image.
        shape: of the layer's activation for one image.
        see: gives the layer's values for the image in a file.

    Returns (channels, 1) for a tensor with a number for each channel; (channels, places) for one of the layer's own
    shape, and for an image. float32. Raises UserError if the file cannot be read, or holds something else.
    """
    path = Path(os.path.expanduser(file))
    if not path.is_file():
        raise UserError(f"there is no file {path}: a direction needs an existing file in the unit's text")
    if path.suffix in OF_IMAGES:
        if see is None:
            raise UserError(f"{path} is an image, which has no values here: set a file of a direction")
        direction = see(path)
    else:
        direction = weights.single(path, "direction")
    channels = shape[1] if len(shape) == 2 else shape[0]
    if tuple(direction.shape) not in ((channels,), tuple(shape)):
        own = "" if len(shape) == 1 else f", or for a pattern {tuple(shape)}"
        raise UserError(
            f"the direction in {path} has shape {tuple(direction.shape)}: this layer needs ({channels},){own}"
        )
    if direction.is_complex():
        raise UserError(f"the direction in {path} is complex: save real numbers")
    direction = direction.float()
    if not torch.isfinite(direction).all() or not direction.any():
        raise UserError(f"the direction in {path} is zero or holds NaN or inf: save finite numbers")
    return places(direction[None])[0] if direction.ndim == len(shape) else direction[:, None]


def at(pattern: Tensor, place: int | str) -> Tensor:
    """A pattern (channels, places) at one place, or its mean or maximum over all: (channels, 1)."""
    if place == "mean":
        return pattern.mean(1, keepdim=True)
    return pattern.amax(1, keepdim=True) if place == "max" else pattern[:, [int(place)]]


def places(activation: Tensor) -> Tensor:
    """(N, D), (N, C, H, W) or (N, T, D) as (N, channels, places)."""
    if activation.ndim == 3:
        return activation.transpose(1, 2)
    return activation.flatten(2) if activation.ndim == 4 else activation.unsqueeze(2)
