"""What the target sees in a step: a part of the picture in another light (robustness, Olah et al. 2017)."""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

SHIFT, TURN = 0.15, 10.0  # at most: of the width, in degrees
NARROW, WIDE = 0.55, 1.1  # of the picture's width that is seen
LIGHT, CONTRAST, COLOUR = 0.1, 0.3, 0.4  # at most: added, and more or less than 1


def view(pictures: Tensor, amount: float, step: int) -> Tensor:
    """A part of pictures (N, C, H, W), brought to their size, in another place, width, turn and light in every step.

    Networks learn from such parts. Shown whole pictures alone, one far from the prior's encoder is content with a
    texture at the right pixels, and things grow until the frame cuts them. The draw is a function of `step` alone and
    the same for all rows. Never mirrored, and no colour becomes another: which way a thing faces, where, and of what
    hue can be what a unit wants.

    Args:
        amount: times `SHIFT`, `TURN`, the logarithms of `NARROW` and `WIDE`, `LIGHT`, `CONTRAST` and `COLOUR`; 0 shows
            the pictures as they are.
    """
    if not amount:
        return pictures
    draw = torch.rand(7, generator=torch.Generator().manual_seed(step))
    right, down, zoom, turn, light, contrast, colour = (2 * draw - 1).tolist()
    size = (NARROW ** (1 - zoom) * WIDE ** (1 + zoom)) ** (amount / 2)
    part = moved(pictures, amount * SHIFT * right, amount * SHIFT * down, size, math.radians(amount * TURN * turn))
    return lit(part, amount * LIGHT * light, 1 + amount * CONTRAST * contrast, 1 + amount * COLOUR * colour)


def moved(pictures: Tensor, right: float, down: float, size: float, turn: float) -> Tensor:
    """The part of pictures that lies `right` and `down` of the middle, `size` large, in widths, and turned by radians.

    Outside the pictures is their reflection.
    """
    across, along = size * math.cos(turn), size * math.sin(turn)
    matrix = pictures.new_tensor([[across, -along, 2 * right], [along, across, 2 * down]])
    grid = affine_grid(matrix.expand(len(pictures), 2, 3), list(pictures.shape), False)
    return grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


def lit(pictures: Tensor, light: float, contrast: float, colour: float) -> Tensor:
    """Pictures with `light` added, `contrast` times as far from their mean, `colour` times as far from grey.

    Nothing is clamped, as torchvision's functions do, so that no pixel loses its gradient; any number of channels.
    """
    grey = pictures.mean(1, keepdim=True)
    mean = grey.mean((2, 3), keepdim=True)
    return mean + light + contrast * (grey - mean + colour * (pictures - grey))
