"""How far a reconstruction is from its original, and how well a network names what it sees."""

from collections.abc import Sequence

import torch
from torch import Tensor


def inversion_error(targets: Tensor, reconstructions: Tensor) -> float:
    """Normalised inversion error in % (Dosovitskiy & Brox): mean distance to the target over that between targets.

    Both are (N, ...), N ≥ 2, flattened; the distance is Euclidean. About 100 for a random other image.
    """
    x, y = targets.flatten(1), reconstructions.flatten(1)
    return float(100 * (x - y).norm(dim=1).mean() / torch.pdist(x).mean())


def unexplained(targets: Tensor, reconstructions: Tensor) -> float:
    """Share of the targets' variance that the reconstructions miss, Σ‖x − y‖² / Σ‖x − mean‖²: 1 for the mean itself."""
    x, y = targets.flatten(1), reconstructions.flatten(1)
    return float((x - y).square().sum() / (x - x.mean(0)).square().sum())


def probabilities(outputs: Tensor) -> Tensor:
    """The softmax of each row of a classifier's outputs (N, D), or the row itself where it is one already."""
    already = (outputs >= 0).all(1) & ((outputs.sum(1) - 1).abs() < 1e-3)
    return torch.where(already[:, None], outputs, outputs.softmax(1))


def ranks(scores: Tensor, labels: Tensor) -> Tensor:
    """The place of each row's label (N,) among its scores (N, D), from 1; equal scores and NaN count against it."""
    return (~(scores < scores.gather(1, labels[:, None]))).sum(1)


def top(ranks: Sequence[int], k: int) -> float:
    """Top-k accuracy in %: how many of the ranks, at least one, are k or better."""
    return 100 * sum(rank <= k for rank in ranks) / len(ranks)
