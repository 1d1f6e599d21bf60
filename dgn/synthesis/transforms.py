"""What the target sees in a step: a part of the picture (transformation robustness, Olah et al. 2017)."""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

SHIFT, TURN = 0.15, 10.0  # at most: of the width, in degrees
NARROW, WIDE = 0.55, 1.1  # of the picture's width that is seen


def view(pictures: Tensor, amount: float, step: int) -> Tensor:
    """A part of pictures (N, C, H, W), brought to their size: another place, width and turn in every step.

    Networks learn from such parts. Shown whole pictures alone, one far from the prior's encoder is content with a
    texture at the right pixels, and things grow until the frame cuts them. The draw is a function of `step` alone and
    the same for all rows; outside the picture is its reflection. Never mirrored: which way a thing faces, and where,
    can be what a unit wants.

    Args:
        amount: times `SHIFT`, `TURN` and the logarithms of `NARROW` and `WIDE`; 0 shows the pictures as they are.
    """
    if not amount:
        return pictures
    draw = torch.rand(4, generator=torch.Generator().manual_seed(step))
    right, down, zoom, turn = (2 * draw - 1).tolist()
    size = (NARROW ** (1 - zoom) * WIDE ** (1 + zoom)) ** (amount / 2)
    angle = math.radians(amount * TURN * turn)
    across, along = size * math.cos(angle), size * math.sin(angle)
    matrix = [[across, -along, 2 * amount * SHIFT * right], [along, across, 2 * amount * SHIFT * down]]
    grid = affine_grid(pictures.new_tensor(matrix).expand(len(pictures), 2, 3), list(pictures.shape), False)
    return grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
