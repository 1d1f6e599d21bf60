"""Linear CKA (Kornblith et al. 2019): how alike two networks see the same images, whatever their features' axes."""

from torch import Tensor

from dgn.base.errors import UserError


def linear(x: Tensor, y: Tensor) -> float:
    """Between features (N, D) and (N, E) of the same N images: 0 to 1; 1 where one is the other, turned and scaled.

    It needs many more images than features: of few ones, random features have a high CKA. UserError where one of the
    two does not vary.
    """
    first, second = (one.double().flatten(1) - one.double().flatten(1).mean(0) for one in (x, y))
    if len(first) != len(second):
        raise ValueError(f"features of {len(first)} and of {len(second)} images")
    scale = (_self(first) * _self(second)) ** 0.5
    if not scale > 0:
        raise UserError("one of the two networks gives the same features for all images: choose another layer")
    return _across(first, second) / scale


def _across(x: Tensor, y: Tensor) -> float:
    """The squared Frobenius norm of xᵀy, from the smaller of the two ways to compute it."""
    if len(x) < min(x.shape[1], y.shape[1]):
        return float(((x @ x.T) * (y @ y.T)).sum())
    return float((x.T @ y).square().sum())


def _self(x: Tensor) -> float:
    return _across(x, x)
