"""The naive method: the image itself is the code. It shows why a prior is needed."""

import torch
from torch import Tensor

from dgn.base.images import sides
from dgn.base.typed import Count, Size
from dgn.generators.base import Generator
from dgn.generators.moments import Moments


class Pixels(Generator):
    """G for codes that are images: (N, channels, height, width) to the same.

    A code is the image around mid-grey in units of 1/4: code 0 is grey, ±2 is black and white.

    Args:
        size: of the image, pixels.
        channels: of the image.
    """

    searched = "the pixels themselves"

    def __init__(self, *, size: Size, channels: Count) -> None:
        super().__init__()
        self.args = {"size": size, "channels": channels}
        self.code_shape, self.size = (channels, *sides(size)), size

    def forward(self, code: Tensor) -> Tensor:
        return code / 4 + 0.5

    def code_of(self, pictures: Tensor) -> Tensor:
        """The codes of pictures (N, channels, height, width) in [0, 1]."""
        return 4 * (pictures - 0.5)

    def moments(self) -> Moments:
        """As of codes with mean 0 and std 2/3: the default range, three of them, is that from black to white."""
        ones = torch.ones(self.code_shape[0], 1, 1)
        tensors = {"mean": 0 * ones, "std": 2 / 3 * ones, "minimum": -2 * ones, "negative": ones / 2}
        return Moments.from_tensors(tensors | {"count": torch.tensor(1)})
