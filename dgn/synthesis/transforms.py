"""Transforms: the random part of the picture that the target sees in each step (transformation robustness, Olah et
al. 2017).

Networks are trained on such crops. Without them a network unlike the prior's encoder accepts textures at the right
pixels, and objects grow until the frame cuts them. To add your own, write one subclass of `Transforms`, and name it by
`ascent.transforms` in a YAML in your own folder `ascent/`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from dgn.base.typed import NotNegative, Positive

SHIFT, TURN = 0.15, 10.0  # at most: of the width, in degrees
NARROW, WIDE = 0.55, 1.1  # of the picture's width that is seen
STREAM = 1  # the second word of the generator's seed; other draws from the same seed take other words


class Transforms(ABC):
    """What the target sees of a picture in a step: an affine map, drawn from the row's seed.

    Attributes:
        outside: what lies beyond the picture's edge: its "reflection", or "grey".
    """

    outside: ClassVar[Literal["reflection", "grey"]] = "reflection"

    @abstractmethod
    def draw(self, seeds: Sequence[int], amounts: Sequence[float], steps: int, size: int) -> Tensor:
        """The maps of every row in every step, (steps, N, 2, 3), fp32, on the CPU.

        A row's map is a function of its seed and the step. `amounts` has one number a row, `ascent.transform_strength`;
        at 0 a map is the identity. `size` is the picture's shorter side, pixels.
        """


class Parts(Transforms):
    """dgn's own, see `draw`."""

    def draw(self, seeds: Sequence[int], amounts: Sequence[float], steps: int, size: int) -> Tensor:
        return draw(seeds, amounts, steps)


class Lucid(Transforms):
    """The ranges of Lucid's and Lucent's default transforms, as one map: frame, shift, zoom, turn, shift.

    Each is drawn uniformly and about the middle; Lucent draws whole numbers, and shifts to one side alone. Beyond the
    edge is grey. A zoom above 1 changes nothing here, as in Lucent where the picture is then resized to the network's
    input: only one below 1 adds to the frame.

    Args:
        frame: added at each side, pixels.
        before, after: the widths of the shifts before and after zoom and turn, pixels.
        zoom: the largest change of the scale; 0.1 is 0.9 to 1.1.
        turn: the largest angle, degrees.
    """

    outside = "grey"

    def __init__(
        self, *, frame: NotNegative, before: NotNegative, after: NotNegative, zoom: NotNegative, turn: NotNegative
    ) -> None:
        self.frame, self.before, self.after, self.zoom, self.turn = frame, before, after, zoom, turn

    def draw(self, seeds: Sequence[int], amounts: Sequence[float], steps: int, size: int) -> Tensor:
        right, down, right_after, down_after, zoom, turn = _uniform(seeds, steps, 6)
        amount = np.asarray(amounts, dtype=float)
        scale = 1 + amount * self.zoom * zoom
        width = (1 + 2 * amount * self.frame / size) * np.maximum(scale, 1) / scale
        angle = np.radians(amount * self.turn * turn)
        shift = [amount * side * self.before / size for side in (right, down)]  # places go from −1 to 1
        late = [amount * side * self.after / size / scale for side in (right_after, down_after)]
        return _maps(width, angle, shift[0] + np.cos(angle) * late[0] - np.sin(angle) * late[1],
                     shift[1] + np.sin(angle) * late[0] + np.cos(angle) * late[1])  # fmt: skip


class Boxes(Transforms):
    """Horama's crops (MACO, Fel et al. 2023): squares about a normally distributed place; beyond the edge is grey.

    Horama's `box_size=(a, b)` gives widths from b to 2b − a; here the widths are what is set.

    Args:
        narrow, wide: the least and the largest width, as shares of the picture's.
        spread: the standard deviation of the place, as a share of the picture's width.
    """

    outside = "grey"

    def __init__(self, *, narrow: Positive, wide: Positive, spread: NotNegative) -> None:
        self.narrow, self.wide, self.spread = narrow, wide, spread

    def draw(self, seeds: Sequence[int], amounts: Sequence[float], steps: int, size: int) -> Tensor:
        right, down, part = np.moveaxis(_of_rows(seeds, lambda rng: rng.standard_normal((steps, 3))), -1, 0)
        amount, uniform = np.asarray(amounts, dtype=float), torch.special.ndtr(torch.from_numpy(part)).numpy()
        width = (self.narrow + (self.wide - self.narrow) * uniform) ** amount
        return _maps(width, 0 * width, 2 * amount * self.spread * right, 2 * amount * self.spread * down)


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
    right, down, zoom, turn = _uniform(seeds, steps, 4)
    amount = np.asarray(amounts, dtype=float)
    width = (NARROW ** (1 - zoom) * WIDE ** (1 + zoom)) ** (amount / 2)
    return _maps(width, np.radians(amount * TURN * turn), 2 * amount * SHIFT * right, 2 * amount * SHIFT * down)


def _of_rows(seeds: Sequence[int], draws: Callable[[np.random.Generator], np.ndarray]) -> np.ndarray:
    """What `draws`, (steps, n), gives for each row's own stream: (steps, N, n); a longer one begins as a shorter."""
    return np.stack([draws(np.random.default_rng((seed, STREAM))) for seed in seeds], axis=1)


def _uniform(seeds: Sequence[int], steps: int, count: int) -> np.ndarray:
    """Numbers in [−1, 1): (count, steps, N)."""
    return np.moveaxis(2 * _of_rows(seeds, lambda rng: rng.random((steps, count))) - 1, -1, 0)


def _maps(width: np.ndarray, angle: np.ndarray, right: np.ndarray, down: np.ndarray) -> Tensor:
    """The affine maps (steps, N, 2, 3) from what is seen to the picture, both between −1 and 1."""
    across, along = width * np.cos(angle), width * np.sin(angle)
    maps = [[across, -along, right], [along, across, down]]
    return torch.from_numpy(np.moveaxis(np.array(maps), (0, 1), (-2, -1))).float()


def transform(pictures: Tensor, maps: Tensor, outside: str = "reflection") -> Tensor:
    """Each picture (N, C, H, W) moved by its own affine map (N, 2, 3), as by `affine_grid(align_corners=False)`.

    In a picture that is not square a turn stays a turn: lengths are compared in pixels, not in shares of the sides.
    Pictures are extended by `outside`, see `Transforms`. They are never mirrored, because a unit may depend on
    orientation. The grid is computed element by element in the pictures' precision: a matrix product would be bf16
    under autocast and TF32 on a GPU, up to a pixel off, and its last bits would depend on the batch.
    """
    with torch.autocast(pictures.device.type, enabled=False):
        across, down = (_centres(side, pictures) for side in (pictures.shape[3], pictures.shape[2]))
        m = maps.to(pictures.dtype)[..., None, None]  # (N, 2, 3, 1, 1)
        high, wide = pictures.shape[2:]
        ratios = ((1, high / wide), (wide / high, 1))  # of what is across or down to where it goes
        places = [m[:, axis, 0] * (a * across) + m[:, axis, 1] * (b * down[:, None]) + m[:, axis, 2]
                  for axis, (a, b) in enumerate(ratios)]  # fmt: skip
        grid = torch.stack(places, -1)
        if outside == "grey":
            return grid_sample(pictures - 0.5, grid, padding_mode="zeros", align_corners=False) + 0.5
        return grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


def _centres(side: int, like: Tensor) -> Tensor:
    """The middles of `side` pixels between −1 and 1."""
    return (2 * torch.arange(side, device=like.device, dtype=like.dtype) + 1) / side - 1
