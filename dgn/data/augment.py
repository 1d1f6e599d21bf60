"""Augmentation as a function of the image and of numbers that come with it."""

import numpy as np
import torch
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
        picked = np.empty((len(batch), self.crop, self.crop, 3), np.uint8)
        for i, (top, left) in enumerate(corners):  # a slice each: a third of the time of one gather over the batch
            part = batch[i, top : top + self.crop, left : left + self.crop]
            picked[i] = part[:, ::-1] if self.flip and numbers[i, 2] < 0.5 else part
        out = from_uint8(torch.from_numpy(picked))
        if self.brightness:
            factor = 1 + self.brightness * (2 * torch.from_numpy(numbers[:, 3]).float() - 1)
            out = out.mul_(factor[:, None, None, None]).clamp_(0, 1)
        return out

    def plain(self, batch: np.ndarray) -> Tensor:
        """(N, S, S, 3) uint8 to its centre crop, (N, 3, crop, crop) float in [0, 1]."""
        margin = (batch.shape[1] - self.crop) // 2
        side = slice(margin, margin + self.crop)
        return from_uint8(torch.from_numpy(batch[:, side, side].copy()))
