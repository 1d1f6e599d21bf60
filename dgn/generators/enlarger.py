"""An enlarger: a picture at twice its size, with the detail that images of that size have."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from dgn.base.precision import full
from dgn.generators.base import Generator
from dgn.generators.deepsim import CodeShape, Count


class Enlarger(Generator):
    """(N, 3, H, W) pictures in [0, 1] to (N, 3, 2H, 2W): bilinear enlargement plus a residual, not clipped.

    The residual comes from 3 × 3 convolutions at the small size and a pixel shuffle, so any size is enlarged. There is
    no batch norm: a picture's contrast is to stay.

    Args:
        code_shape: (3, H, W).
        width: channels of each convolution.
        blocks: residual blocks of two convolutions.
    """

    def __init__(self, *, code_shape: CodeShape, width: Count, blocks: Annotated[int, Field(ge=0, le=64)]) -> None:
        super().__init__()
        self.args = {"code_shape": list(code_shape), "width": width, "blocks": blocks}
        self.code_shape = tuple(code_shape)
        if len(self.code_shape) != 3 or self.code_shape[0] != 3:
            raise ValueError(f"it enlarges pictures (3, H, W), not codes {self.code_shape}")
        self.size = [2 * side for side in self.code_shape[1:]]
        self.first = nn.Conv2d(3, width, 3, 1, 1)
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(blocks)))
        self.last = nn.Conv2d(width, 12, 3, 1, 1)
        self._initialise()
        self.to(memory_format=torch.channels_last)

    @torch.no_grad()
    def _initialise(self) -> None:
        """He normal, but the residual and each block's second convolution start at zero: bilinear enlargement."""
        layers = [module for module in self.modules() if isinstance(module, nn.Conv2d)]
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        for layer in (self.last, *layers[2:-1:2]):
            nn.init.zeros_(layer.weight)

    def forward(self, code: Tensor) -> Tensor:
        x = self.blocks(F.leaky_relu(self.first(2 * code - 1), 0.2))
        return _twice(full(code)) + full(F.pixel_shuffle(self.last(x), 2))


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, 1, 1), nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.leaky_relu(self.first(x), 0.2))


def _twice(picture: Tensor) -> Tensor:
    return F.interpolate(picture, scale_factor=2, mode="bilinear", align_corners=False)
