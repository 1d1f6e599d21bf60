"""The naive method: the image itself is the code. It shows why a prior is needed."""

import torch
from torch import Tensor

from dgn.generators import Generator
from dgn.generators.moments import Moments


class Pixels(Generator):
    """G for codes that are images: (N, channels, size, size) to the same, in [0, 1].

    A code is the image around mid-grey in units of 1/4: code 0 is grey, ±2 is black and white.
    """

    def __init__(self, *, size: int, channels: int) -> None:
        super().__init__()
        self.args = {"size": size, "channels": channels}
        self.code_shape, self.size = (channels, size, size), size

    def forward(self, code: Tensor) -> Tensor:
        return code / 4 + 0.5

    def moments(self) -> Moments:
        """As of codes with mean 0 and std 1 in [−2, 2], so that steps and bounds mean what they mean for any code."""
        ones = torch.ones(self.code_shape[0], 1, 1)
        tensors = {"mean": 0 * ones, "std": ones, "minimum": -2 * ones, "negative": ones / 2}
        return Moments.from_tensors(tensors | {"count": torch.tensor(1)})
