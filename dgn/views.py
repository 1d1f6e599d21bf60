"""What the target is shown in a step: the picture, moved a little (transformation robustness, Olah et al. 2017)."""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

SHIFT, ZOOM, TURN = 0.1, 0.2, 10.0  # at most: of the width, in the logarithm of the size, in degrees


def moved(pictures: Tensor, amount: float, step: int) -> Tensor:
    """Pictures (N, C, H, W) shifted, zoomed and turned by another draw in every step.

    A network far from the prior's encoder is otherwise content with a texture at the right pixels. The draw is a
    function of `step` alone and the same for all rows; outside the picture is its reflection. Never mirrored: which way
    a thing faces, and where, can be what a unit wants.

    Args:
        amount: times `SHIFT`, `ZOOM` and `TURN`; at 0 the pictures are shown as they are.
    """
    if not amount:
        return pictures
    draw = torch.rand(4, generator=torch.Generator().manual_seed(step))
    right, down, zoom, turn = (2 * draw - 1).tolist()
    size, angle = math.exp(amount * ZOOM * zoom), math.radians(amount * TURN * turn)
    across, along = size * math.cos(angle), size * math.sin(angle)
    matrix = [[across, -along, 2 * amount * SHIFT * right], [along, across, 2 * amount * SHIFT * down]]
    grid = affine_grid(pictures.new_tensor(matrix).expand(len(pictures), 2, 3), list(pictures.shape), False)
    return grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
