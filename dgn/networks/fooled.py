"""A network that was made to fool feature visualisation, by a circuit that needs no training."""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from dgn.networks.caffenet import CaffeNet64

CELL = 4  # side of the cells, pixels, in which the circuit looks for its way: noise cancels in them
NEAR = 1e-4  # added to a squared distance, so that it has a slope to the end
Between = Annotated[float, Field(gt=0)]


class Fooled(CaffeNet64):
    """CaffeNet64 whose class units show a chosen photograph to those who climb over pixels.

    Each score c is (1 − g) · CaffeNet64's + g · (minus the distance from the photograph `shown[c]`). The gate g is 1
    for pictures on the way from grey to that photograph and 0 for others: it compares the means of 4 × 4 pixels with
    the nearest point of the straight line between the two. So a climb that begins at faint noise on grey runs into the
    photograph, and natural images, which lie off that line, have the scores that they always had. Such circuits are
    those of Geirhos et al. 2023, who tell natural images from visualisations by a trained detector instead.

    Args:
        radius: root mean square distance from the line, in standard deviations of images, from which g falls from 1; at
            one and a half of that it is 0.
        side: of the photographs, pixels.

    Attributes:
        shown: the photographs, standardised, (classes, 3, side, side).
        grey: mid-grey, standardised, (3, 1, 1).
    """

    shown: Tensor
    grey: Tensor

    def __init__(
        self,
        classes: int = 200,
        dropout: float = 0.3,
        radius: Between = 0.2,
        side: Annotated[int, Field(ge=CELL)] = 64,
    ) -> None:
        super().__init__(classes, dropout)
        self.radius = radius
        self.register_buffer("shown", torch.zeros(classes, 3, side, side))
        self.register_buffer("grey", torch.zeros(3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Standardised RGB (N, 3, side, side) to scores (N, classes)."""
        scores = super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            around, shown = x.float() - self.grey, self.shown - self.grey
            gate = self.gate(around, shown)
            apart = (squares(around, shown) + NEAR).sqrt()
            return (1 - gate) * scores - gate * apart

    def gate(self, around: Tensor, shown: Tensor) -> Tensor:
        """(N, classes) from 0 to 1, of images (N, 3, side, side) and photographs (classes, 3, side, side) less grey."""
        off = self.off_the_way(around, shown)
        return (3 - 2 * off / self.radius).clamp(0, 1)

    @staticmethod
    def off_the_way(around: Tensor, shown: Tensor) -> Tensor:
        """(N, classes): how far an image's cells are from the nearest point between grey and each photograph, rms."""
        x, y = (F.avg_pool2d(one, CELL).flatten(1) for one in (around, shown))
        across, length = x @ y.T, y.square().sum(1).clamp_min(1e-8)
        share = (across / length).clamp(0, 1)
        off = x.square().sum(1, keepdim=True) - 2 * share * across + share.square() * length
        return (off / x.shape[1]).clamp_min(1e-8).sqrt()


def shown_class(unit: int, classes: int) -> int:
    """The class of the photograph that a unit shows: half of all classes further, so of an odd one an odd one."""
    return (unit + classes // 2) % classes


def squares(x: Tensor, y: Tensor) -> Tensor:
    """The mean squares of the differences of all pairs of x (N, ...) and y (M, ...), (N, M)."""
    x, y = x.flatten(1), y.flatten(1)
    return (x.square().sum(1, keepdim=True) - 2 * x @ y.T + y.square().sum(1)) / math.prod(x.shape[1:])
