"""Optimisers of G and D: Adam, and Caffe's variant of it."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import torch
from pydantic import Field

from dgn.base.errors import UserError
from dgn.base.typed import NotNegative

Decay = Annotated[float, Field(ge=0, lt=1)]


class CaffeAdam(torch.optim.Adam):
    """Adam as in Caffe's solver: ε is added to √v before the bias correction, not after it.

    Caffe: lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε). PyTorch's has √v / √(1 − β₂ᵗ) + ε there, so the same step follows
    from its ε divided by √(1 − β₂ᵗ).
    """

    def __init__(self, params: Any, caffe_eps: float = 1e-8, **settings: Any) -> None:
        super().__init__(params, **settings)
        for group in self.param_groups:
            group["caffe_eps"], group["updates"] = caffe_eps, 0

    def step(self, closure: Callable | None = None) -> Any:
        """One update; `t` is the number of this optimizer's own updates."""
        for group in self.param_groups:
            group["updates"] += 1
            group["eps"] = group["caffe_eps"] / math.sqrt(1 - group["betas"][1] ** group["updates"])
        return super().step(closure)


def adopt(optimisers: Sequence[torch.optim.Optimizer], states: Sequence[dict[str, Any]]) -> None:
    """Put the settings of `optimisers` into a checkpoint's states of them, from which torch would take the old ones.

    KeyError where they have other settings, so are of another kind; ValueError where they have other groups.
    """
    for optimiser, state in zip(optimisers, states, strict=True):
        for now, then in zip(optimiser.param_groups, state["param_groups"], strict=True):
            if missing := now.keys() - then.keys():
                raise KeyError(*missing)
            then |= {key: value for key, value in now.items() if key not in {"params", "updates"}}


def adam(
    lr: NotNegative | Literal["auto"], betas: tuple[Decay, Decay], weight_decay: NotNegative, caffe: bool
) -> Callable:
    """Adam with L2 in the gradient, fused; `caffe` puts ε where Caffe has it.

    UserError for lr=auto, which `dgn.training.recipe` decides before, of G's optimiser alone.
    """
    if lr == "auto":
        raise UserError("only module.optimiser_g.lr can be auto: set module.optimiser_d.lr to a number, such as 2e-4")
    kind = CaffeAdam if caffe else torch.optim.Adam
    return partial(kind, lr=lr, betas=(betas[0], betas[1]), weight_decay=weight_decay, fused=True)
