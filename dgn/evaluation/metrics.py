"""Metrics: inversion errors, softmax probabilities, ranks and top-k accuracy."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


class Targets:
    """What reconstructions are measured against, batch by batch: of the targets (N, ...) at most `most` are kept.

    Args:
        most: targets that are paired with one another, drawn evenly from all, always the same.
    """

    def __init__(self, most: int = 512) -> None:
        self.most, self.count, self.kept = most, 0, torch.empty(0)
        self.mean, self.variation = torch.zeros(()), 0.0
        self.random = torch.Generator().manual_seed(0)

    def update(self, batch: Tensor) -> None:
        """(N, ...) more targets, N ≥ 1."""
        x = batch.detach().flatten(1).cpu().float()
        shift = x.double().mean(0) - self.mean
        share = len(x) / (self.count + len(x))
        within = float((x - x.mean(0)).double().square().sum())
        self.variation += within + self.count * share * float(shift.square().sum())  # Chan, Golub & LeVeque 1979
        self.mean = self.mean + shift * share
        self._keep(x)
        self.count += len(x)

    def _keep(self, x: Tensor) -> None:
        """Reservoir sampling: every target seen so far is among the kept ones with equal chance."""
        room = max(0, self.most - self.count)
        self.kept = torch.cat([self.kept.reshape(-1, x.shape[1]), x[:room]])
        for i in range(room, len(x)):
            place = int(torch.randint(self.count + i + 1, (), generator=self.random))
            if place < self.most:
                self.kept[place] = x[i]

    def distance(self) -> float:
        """Mean Euclidean distance between two targets, over all pairs of those kept."""
        return float(torch.pdist(self.kept).mean())


class Residuals:
    """How far reconstructions are from their targets, summed over batches."""

    def __init__(self) -> None:
        self.count, self.distance, self.square = 0, 0.0, 0.0

    def update(self, targets: Tensor, reconstructions: Tensor) -> None:
        """Both (N, ...)."""
        squares = (targets - reconstructions).detach().float().flatten(1).square().sum(1).cpu().double()
        self.count += len(squares)
        self.distance += float(squares.sqrt().sum())
        self.square += float(squares.sum())


def inversion_error(targets: Targets, residuals: Residuals) -> float:
    """Normalised inversion error in % (Dosovitskiy & Brox): mean distance to the target over that between targets.

    Of two targets or more. About 100 for a random other image.
    """
    return 100 * residuals.distance / residuals.count / targets.distance()


def unexplained(targets: Targets, residuals: Residuals) -> float:
    """Share of the targets' variance that the reconstructions miss, Σ‖x − y‖² / Σ‖x − mean‖²: 1 for the mean itself."""
    return residuals.square / targets.variation


def probabilities(outputs: Tensor) -> Tensor:
    """The softmax of each row of a classifier's outputs (N, D), or the row itself where it is one already."""
    already = (outputs >= 0).all(1) & ((outputs.sum(1) - 1).abs() < 1e-3)
    return torch.where(already[:, None], outputs, outputs.softmax(1))


def ranks(scores: Tensor, labels: Tensor) -> Tensor:
    """The place of each row's label (N,) among its scores (N, D), from 1; equal scores and NaN count against it."""
    return (~(scores < scores.gather(1, labels[:, None]))).sum(1)


def top(ranks: Sequence[int], k: int) -> float:
    """Top-k accuracy in %: how many of the ranks are k or better; NaN of none."""
    return 100 * sum(rank <= k for rank in ranks) / len(ranks) if ranks else math.nan
