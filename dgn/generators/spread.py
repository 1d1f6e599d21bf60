"""Covariance of codes, streamed: of vectors as a whole, of maps along channels and along positions."""

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

EXPLAINED = 0.9  # of the variance, by the axes that are kept of vectors: of fc6's 1024 elements 369
EXPLAINED_OF_MAPS = 0.99  # along each side: what 0.9 leaves out are edges
WIDEST = 4096  # elements, or channels, whose covariance is measured: that of the paper's fc layers takes 128 MiB
LARGEST = 1024  # positions of a map, 32 × 32


@dataclass
class Spread:
    """How codes vary about their mean, in float64.

    A vector (D,) counts as D channels at one position. The covariance of a map (C, H, W) is taken as separable: that of
    its channels, averaged over positions, times that of its positions, averaged over channels, over the mean variance.
    The whole one of a map of 96 × 8 × 8 would have 38 million numbers, which some thousand images do not determine.

    Attributes:
        number: of codes seen; shape: of one.
        centre: (C, P) their mean.
        channels: (C, C); positions: (P, P), None for vectors.
    """

    number: int
    shape: torch.Size
    centre: Tensor
    channels: Tensor
    positions: Tensor | None

    @classmethod
    def of(cls, codes: Tensor) -> "Spread | None":
        """That of a batch (N, D) or (N, C, H, W) in float64; None of codes that are too large."""
        if codes.shape[1] > WIDEST or prod(codes.shape[2:]) > LARGEST:
            return None
        flat = codes.flatten(2) if codes.ndim > 2 else codes[..., None]
        centre = flat.mean(0)
        gaps, (number, channels, positions) = flat - centre, flat.shape
        along = gaps.transpose(0, 1).reshape(channels, -1)
        across = gaps.reshape(-1, positions) if codes.ndim > 2 else None
        return cls(
            number,
            codes.shape[1:],
            centre,
            along @ along.T / (number * positions),
            None if across is None else across.T @ across / (number * channels),
        )

    def merged(self, other: "Spread") -> "Spread":
        """That of both sets of codes together (Chan et al., 1979)."""
        total = self.number + other.number
        share, gap = other.number / total, other.centre - self.centre

        def mixed(one: Tensor, two: Tensor, between: Tensor) -> Tensor:
            return one * (1 - share) + two * share + between * share * (1 - share)

        channels = mixed(self.channels, other.channels, gap @ gap.T / gap.shape[1])
        positions = None
        if self.positions is not None and other.positions is not None:
            positions = mixed(self.positions, other.positions, gap.T @ gap / gap.shape[0])
        return Spread(total, self.shape, self.centre + gap * share, channels, positions)

    def axes(self) -> tuple[Tensor, Tensor | None] | None:
        """The principal axes along channels (n, C) and positions (m, P), fp32, the longest first.

        As many of each as explain the variance, but for a tenth (of maps, a hundredth). With independent standard
        normal z (n, m), centre + channel axesᵀ · z · position axes varies as the codes do. None of too few codes.
        """
        channels, positions = self.centre.shape
        if self.number * positions < channels or self.number * channels < positions:
            return None
        if self.positions is None:
            return _principal(self.channels, EXPLAINED), None
        variance = self.channels.diagonal().mean().clamp_min(torch.finfo(torch.float64).tiny)
        sides = (self.channels, self.positions / variance)
        channel_axes, position_axes = (_principal(side, EXPLAINED_OF_MAPS) for side in sides)
        return channel_axes, position_axes


def _principal(covariance: Tensor, explained: float) -> Tensor:
    """(n, D) the principal axes of a covariance (D, D), each as long as the standard deviation along it."""
    variance, directions = torch.linalg.eigh(covariance)  # in ascending order
    variance, directions = variance.flip(0).clamp_min(0), directions.T.flip(0)
    enough = int((variance.cumsum(0) < explained * variance.sum()).sum()) + 1
    return (variance[:enough, None].sqrt() * directions[:enough]).float()


def pseudo_inverse(axes: Tensor) -> Tensor:
    """(D, n) of axes (n, D), which are orthogonal up to rounding, without the singular values that `pinv` computes.

    Of orthogonal rows it is their transpose over their squared lengths. One step of Newton's method squares the error
    that fp16 rounding of the axes leaves there (1e-3 of a code's coordinates), to that of fp32.
    """
    squared = axes.square().sum(1)
    first = axes.T / squared.clamp_min(torch.finfo(squared.dtype).tiny)
    product = axes @ first
    if not torch.allclose(product, torch.diag((squared > 0).to(product)), atol=1e-2):
        return torch.linalg.pinv(axes)  # axes that nothing here made
    return 2 * first - first @ product
