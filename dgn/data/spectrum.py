"""Measure the mean Fourier magnitudes of a data set, for `generator=maco`."""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from dgn.base import tensors
from dgn.data.loader import DataModule
from dgn.generators.spectral import MAGNITUDE, decorrelated


def write(module: DataModule, most: int, path: Path) -> int:
    """Measure at most so many of the training images, evenly spread, and write the file; gives how many they were."""
    count = min(most, len(module.train))
    magnitude = measured(images for images, *_ in module.plain(count))
    tensors.save(
        path, tensors.compact({MAGNITUDE: magnitude.float()}), {"images": str(count), "data": module.name or ""}
    )
    return count


@torch.no_grad()
def measured(batches: Iterable[Tensor]) -> Tensor:
    """The mean of |F| over images (N, 3, S, S) in [0, 1] with decorrelated colours: (3, S, S // 2 + 1), float64.

    The constant part, which says nothing as pictures are standardised, is the mean of its neighbours: so a change of
    size spreads no peak.
    """
    total, count = torch.zeros(()), 0
    for images in batches:
        total = total + torch.fft.rfft2(decorrelated(images.double() - 0.5)).abs().sum(0)
        count += len(images)
    magnitude = total / count
    magnitude[:, 0, 0] = (magnitude[:, 0, 1] + magnitude[:, 1, 0]) / 2
    return magnitude
