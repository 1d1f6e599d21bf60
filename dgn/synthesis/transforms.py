"""Transforms: the random crop of the picture that the target sees in each step (transformation robustness, Olah et
al. 2017).

Networks are trained on such crops. Without them a network unlike the prior's encoder accepts textures at the right
pixels, and objects grow until the frame cuts them.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

SHIFT, TURN = 0.15, 10.0  # at most: of the width, in degrees
NARROW, WIDE = 0.55, 1.1  # of the picture's width that is seen
STREAM = 1  # the second word of the generator's seed; other draws from the same seed take other words


def draw(seeds: Sequence[int], amounts: Sequence[float], steps: int) -> Tensor:
    """The transforms of every row in every step, as affine maps (steps, N, 2, 3), fp32, on the CPU.

    The draw of a row is a function of (its seed, the step), so a row is moved alike alone and in a batch, and a
    shorter climb begins as a longer one. The unit does not enter it, as it does not enter the initial code: units of
    one seed are compared under one draw, and a unit's picture does not depend on how its name is spelled. What
    differs from draw to draw is therefore seen between seeds, not between units.

    Args:
        seeds: one a row.
        amounts: one a row, 0 or more: times `SHIFT`, `TURN` and the logarithms of `NARROW` and `WIDE`. 0 is the
            identity.
        steps: how many.
    """
    uniform = np.stack([np.random.default_rng((seed, STREAM)).random((steps, 4)) for seed in seeds], axis=1)
    right, down, zoom, turn = np.moveaxis(2 * uniform - 1, -1, 0)  # each (steps, N), in [-1, 1)
    amount = np.asarray(amounts, dtype=float)
    width = (NARROW ** (1 - zoom) * WIDE ** (1 + zoom)) ** (amount / 2)
    angle = np.radians(amount * TURN * turn)
    across, along = width * np.cos(angle), width * np.sin(angle)
    maps = [[across, -along, 2 * amount * SHIFT * right], [along, across, 2 * amount * SHIFT * down]]
    return torch.from_numpy(np.moveaxis(np.array(maps), (0, 1), (-2, -1))).float()


def transform(pictures: Tensor, maps: Tensor) -> Tensor:
    """Each picture (N, C, H, W) moved by its own affine map (N, 2, 3), as by `affine_grid(align_corners=False)`.

    Pictures are extended by reflection. They are never mirrored, because a unit may depend on orientation. The grid is
    computed element by element in the pictures' precision: a matrix product would be bf16 under autocast and TF32 on a
    GPU, up to a pixel off, and its last bits would depend on the batch.
    """
    with torch.autocast(pictures.device.type, enabled=False):
        across, down = (_centres(side, pictures) for side in (pictures.shape[3], pictures.shape[2]))
        m = maps.to(pictures.dtype)[..., None, None]  # (N, 2, 3, 1, 1)
        places = [m[:, axis, 0] * across + m[:, axis, 1] * down[:, None] + m[:, axis, 2] for axis in (0, 1)]
        return grid_sample(pictures, torch.stack(places, -1), padding_mode="reflection", align_corners=False)


def _centres(side: int, like: Tensor) -> Tensor:
    """The middles of `side` pixels between −1 and 1."""
    return (2 * torch.arange(side, device=like.device, dtype=like.dtype) + 1) / side - 1
