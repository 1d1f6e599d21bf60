"""The codes of a folder's images, in whatever folders below it they lie."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from dgn.base import images
from dgn.base.errors import UserError
from dgn.data.listing import under
from dgn.generators.moments import Moments
from dgn.networks.features import Features

BATCH = 32
KEPT = 64  # codes that are returned, spread evenly over the images


@torch.no_grad()
def measure(encoder: Features, folder: Path, side: int) -> tuple[Moments, Tensor, int]:
    """Moments of an encoder's codes of all readable images under `folder`, up to 64 codes, and the images' number.

    Images are their central squares of `side` pixels. UserError if fewer than two can be read.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder of images {folder}: set --images to an existing one")
    moments, kept, count = Moments(), [], 0
    paths = under(folder, images.SUFFIXES)
    some = set(np.linspace(0, len(paths) - 1, KEPT).round()) if paths else set()
    parts = [paths[i : i + BATCH] for i in range(0, len(paths), BATCH)]
    for i, part in enumerate(track(parts, "measuring codes", transient=True)):
        read = list(_read(part, side))
        if not read:
            continue
        codes = encoder(images.from_uint8(np.stack([pixels for _, pixels in read])))
        moments.update(codes)
        count += len(codes)
        kept += [code for (place, _), code in zip(read, codes, strict=True) if i * BATCH + place in some]
    if count < 2 or not kept:
        raise UserError(f"{folder} holds fewer than two images that can be read: set --images to another folder")
    return moments, torch.stack(kept), count


def _read(paths: list[str], side: int) -> Iterator[tuple[int, np.ndarray]]:
    """The readable images among these files, each with its place."""
    for place, path in enumerate(paths):
        try:
            yield place, images.load_centre(path, side)
        except images.Unreadable as error:
            print(f"note: skipped {path}: {error}")
