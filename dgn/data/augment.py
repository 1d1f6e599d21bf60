"""Augmentation as a function of the image and of numbers that come with it."""

import numpy as np
from torch import Tensor

from dgn.base.images import from_uint8


class Augment:
    """Random crop, flip and brightness of a batch; the random numbers come with the batch, not from here.

    `pad` pixels are reflected at each border before the crop; `crop` is the side that comes out, in pixels. Pixels stay
    bytes until `to_float`, for they are handed from process to process, and floats are four times as much.
    """

    numbers = 4  # random numbers an image: row, column, flip, brightness

    def __init__(self, crop: int, pad: int, flip: bool, brightness: float) -> None:
        self.crop, self.pad, self.flip, self.brightness = crop, pad, flip, brightness

    def __call__(self, batch: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, S, S, 3) uint8 and (N, 4) in [0, 1) to (N, crop, crop, 3) uint8 and each image's factor on its light."""
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
        return picked, 1 + self.brightness * (2 * numbers[:, 3] - 1)

    def plain(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, S, S, 3) uint8 to its centre crop, (N, crop, crop, 3), and factors of one."""
        margin = (batch.shape[1] - self.crop) // 2
        side = slice(margin, margin + self.crop)
        return batch[:, side, side].copy(), np.ones(len(batch), np.float32)


def to_float(pixels: np.ndarray | Tensor, light: np.ndarray | Tensor) -> Tensor:
    """(N, S, S, 3) uint8 and (N,) factors to (N, 3, S, S) float, clipped to [0, 1]."""
    out = from_uint8(pixels)
    light = np.asarray(light)
    if (light != 1).any():
        values = out.numpy()  # the same memory
        values *= light[:, None, None, None]
        np.clip(values, 0, 1, out=values)
    return out
