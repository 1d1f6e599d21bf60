"""Differentiable augmentation of what D sees (Zhao et al. 2020), for few images; see docs/research/training.md.

With PYTHONPATH=docs/research/scripts: `module._target_=augmented_d.AugmentedD`, of dgn train.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dgn.training.deepsim import DeepsimTraining

SHIFT = 0.125  # of the width, at most, in either direction
BRIGHTNESS, SATURATION, CONTRAST = 0.5, (0.0, 2.0), (0.5, 1.5)


def augmented(x: Tensor) -> Tensor:
    """Images (N, 3, H, W) in [0, 1], each in other brightness, saturation and contrast, shifted, zeros around it."""
    count, _, height, width = x.shape

    def drawn(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, 1, device=x.device, dtype=x.dtype)

    x = x + drawn(-BRIGHTNESS, BRIGHTNESS)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * drawn(*SATURATION)
    mean = x.mean((1, 2, 3), keepdim=True)
    x = mean + (x - mean) * drawn(*CONTRAST)
    most = round(SHIFT * width)
    padded = F.pad(x, (most, most, most, most))
    places = torch.randint(0, 2 * most + 1, (count, 2)).tolist()
    return torch.stack(
        [one[:, top : top + height, left : left + width] for one, (top, left) in zip(padded, places, strict=True)]
    )


class Augmented(nn.Module):
    """D on augmented images, real and generated ones alike."""

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, image: Tensor, code: Tensor) -> Tensor:
        return self.discriminator(augmented(image), code)


class AugmentedD(DeepsimTraining):
    """Training with `Augmented` around D."""

    def __init__(self, *, discriminator: nn.Module, **settings: Any) -> None:
        super().__init__(discriminator=Augmented(discriminator), **settings)
