"""Optimizers for the ascent over codes; each row (one code) is updated independently of the others."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from dgn.base.typed import Positive


class NormalisedGradient(torch.optim.Optimizer):
    """y ← y + lr · g / mean|g|, the mean over all elements of a row (released act_max.py, its code step).

    Args:
        params: the codes, each (N, *code_shape). `.grad` is the gradient of the score, which the codes climb.
        lr: the mean step of an element, in units of the code.
    """

    def __init__(self, params: Iterable[Tensor], lr: Positive) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable | None = None) -> None:  # type: ignore[override]
        """One step of every row."""
        for group in self.param_groups:
            for code in group["params"]:
                size = code.grad.abs().flatten(1).mean(1).clamp_min(torch.finfo(code.dtype).tiny)
                code.add_(group["lr"] * code.grad / size.view(-1, *[1] * (code.ndim - 1)))


class PlainGradient(torch.optim.Optimizer):
    """y ← y + lr · g, or a smaller step where the score would rise by more than `progress` if it were linear.

    The two rules of the released code of Yosinski et al. 2015, "constant" and "progress": lr ≤ progress / |g|².

    Args:
        params: the codes, each (N, *code_shape). `.grad` is the gradient of the score, which the codes climb.
        lr: in units of the code, squared, a unit of the score.
        progress: in units of the score; None for no limit.
    """

    def __init__(self, params: Iterable[Tensor], lr: Positive, progress: Positive | None) -> None:
        super().__init__(params, {"lr": lr, "progress": float("inf") if progress is None else progress})

    @torch.no_grad()
    def step(self, closure: Callable | None = None) -> None:  # type: ignore[override]
        """One step of every row."""
        for group in self.param_groups:
            for code in group["params"]:
                steep = code.grad.flatten(1).square().sum(1).clamp_min(torch.finfo(code.dtype).tiny)
                rate = (group["progress"] / steep).clamp_max(group["lr"])
                code.add_(rate.view(-1, *[1] * (code.ndim - 1)) * code.grad)


def climb_adam(params: Iterable[Tensor], lr: Positive) -> torch.optim.Optimizer:
    """Adam that maximises; it works per element, so rows stay independent.

    Args:
        params: the codes, each (N, *code_shape).
        lr: Adam's learning rate, in units of the code.
    """
    return torch.optim.Adam(params, lr=lr, maximize=True)
