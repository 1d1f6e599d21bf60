"""DeePSiM's losses (Dosovitskiy & Brox 2016), each a plain function; the weights are in conf/loss.

The released files weigh *half-sums over 0-255 pixels*: 2e-6 · ½ Σ (255 x − 255 y)² / N for the image,
0.01 · ½ Σ (C(x) − C(y))² / N for the feature, 100 · log-loss of D. `half_sum` with `scale` is that conversion,
written down here once; `relative` is what works at 64 px.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from dgn.base.typed import Positive


def half_sum(x: Tensor, y: Tensor, scale: float = 1.0) -> Tensor:
    """Caffe's Euclidean loss, ½ Σ (scale · x − scale · y)² over everything, mean over the batch, as released."""
    return 0.5 * scale**2 * (x - y).square().sum() / len(x)


def mean_square(x: Tensor, y: Tensor, variance: Positive = 1.0) -> Tensor:
    """Mean squared difference of `x` and `y`, both (N, C, H, W) in [0, 1], over `variance`.

    With the variance of the pixels, 1 means no better than a grey image.
    """
    return (x - y).square().mean() / variance


def relative(x: Tensor, y: Tensor) -> Tensor:
    """‖x − y‖² / ‖x‖² per image, mean over the batch: 1 for a reconstruction without any of x's features.

    `x` of the real image and `y` of G's are codes (N, D) or maps (N, C, H, W).
    ‖x‖² counts as at least a thousandth of the batch's mean: an x without features would be worth any number of others.
    """
    axes = tuple(range(1, x.ndim))  # not flatten, which would copy maps that are channels-last
    difference = F.mse_loss(x, y, reduction="none").sum(axes)
    energy = x.square().sum(axes)
    return (difference / energy.maximum(1e-3 * energy.mean()).clamp_min(1e-12)).mean()


def per_position(x: Tensor, y: Tensor) -> Tensor:
    """Squared difference summed over channels, mean over positions and batch: LPIPS's own reduction."""
    return (x - y).square().sum(1).mean()


def features(
    distance: Callable[[Tensor, Tensor], Tensor],
    real: Mapping[str, Tensor],
    fake: Mapping[str, Tensor],
    layers: Mapping[str, float | None],
) -> Tensor:
    """Σ weight · distance(real, fake) over the comparator's layers; a weight of null or 0 leaves a layer out."""
    terms = [weight * distance(real[layer], fake[layer]) for layer, weight in layers.items() if weight]
    return torch.stack(terms).sum()


def mean(logs: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of each value over the parts of a batch."""
    return {name: torch.stack([log[name] for log in logs]).mean() for name in logs[0]}


class LogLoss:
    """Caffe's softmax log-loss on D's two outputs; label 0 is real and label 1 is fake, as in DeePSiM's script."""

    outputs = 2

    @staticmethod
    def real(logits: Tensor) -> Tensor:
        """D on real images, and G's wish for its own: called real."""
        return F.cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.long))

    @staticmethod
    def fake(logits: Tensor) -> Tensor:
        """D on generated images."""
        return F.cross_entropy(logits, logits.new_ones(len(logits), dtype=torch.long))

    wish = real


class Hinge:
    """Hinge loss on D's one output."""

    outputs = 1

    @staticmethod
    def real(logits: Tensor) -> Tensor:
        """D on real images."""
        return F.relu(1 - logits).mean()

    @staticmethod
    def fake(logits: Tensor) -> Tensor:
        """D on generated images."""
        return F.relu(1 + logits).mean()

    @staticmethod
    def wish(logits: Tensor) -> Tensor:
        """G's loss."""
        return -logits.mean()
