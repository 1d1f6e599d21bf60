"""Augmentation as a function of the image and of numbers that come with it."""

import numpy as np
from torch import Tensor

from dgn.images import from_uint8


class Augment:
    """Random crop, flip and brightness of a batch; the random numbers come with the batch, not from here.

    `pad` pixels are reflected at each border before the crop; `crop` is the side that comes out, in pixels.
    """

    numbers = 4  # random numbers an image: row, column, flip, brightness

    def __init__(self, crop: int, pad: int, flip: bool, brightness: float) -> None:
        self.crop, self.pad, self.flip, self.brightness = crop, pad, flip, brightness

    def __call__(self, batch: np.ndarray, numbers: np.ndarray) -> Tensor:
        """(N, S, S, 3) uint8 and (N, 4) in [0, 1) to (N, 3, crop, crop) float in [0, 1]."""
        if self.pad:
            margin = (self.pad, self.pad)
            batch = np.pad(batch, ((0, 0), margin, margin, (0, 0)), mode="reflect")
        room = batch.shape[1] - self.crop + 1
        corners = np.floor(numbers[:, :2] * room).astype(int)
        turned = np.arange(self.crop)[::-1]
        picked = np.empty((len(batch), self.crop, self.crop, 3), np.uint8)
        for i, (top, left) in enumerate(corners):
            part = batch[i, top : top + self.crop, left : left + self.crop]
            if self.flip and numbers[i, 2] < 0.5:
                np.take(part, turned, axis=1, out=picked[i], mode="clip")  # half the time of part[:, ::-1]
            else:
                picked[i] = part
        out = from_uint8(picked)
        if self.brightness:
            factor = 1 + self.brightness * (2 * numbers[:, 3] - 1)
            values = out.numpy()  # the same memory
            values *= factor[:, None, None, None]
            np.clip(values, 0, 1, out=values)
        return out

    def plain(self, batch: np.ndarray) -> Tensor:
        """(N, S, S, 3) uint8 to its centre crop, (N, 3, crop, crop) float in [0, 1]."""
        margin = (batch.shape[1] - self.crop) // 2
        side = slice(margin, margin + self.crop)
        return from_uint8(batch[:, side, side])
