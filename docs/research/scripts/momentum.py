"""The released step with momentum, which does not pay (docs/research/ascent.md).

With PYTHONPATH=docs/research/scripts: `ascent.optimiser._target_=momentum.Momentum +ascent.optimiser.momentum=0.8`.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from dgn.synthesis.ascent import NormalisedGradient


class Momentum(NormalisedGradient):
    """v ← m · v + (1 − m) · g / mean|g|, then y ← y + lr · v / mean|v|, the means over all elements of a row.

    Args:
        params: the codes, each (N, *code_shape). `.grad` is the gradient of the score.
        lr: the mean step of an element, in units of the code.
        momentum: m, in [0, 1).
    """

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float) -> None:
        super().__init__(params, lr)
        self.momentum = momentum

    @torch.no_grad()
    def step(self, closure: Callable | None = None) -> None:  # type: ignore[override]
        """One step of every row, in the direction of the averaged gradients."""
        for group in self.param_groups:
            for code in group["params"]:
                size = code.grad.abs().flatten(1).mean(1).clamp_min(torch.finfo(code.dtype).tiny)
                now = code.grad / size.view(-1, *[1] * (code.ndim - 1))
                before = self.state[code].get("average", now)
                self.state[code]["average"] = self.momentum * before + (1 - self.momentum) * now
                code.grad.copy_(self.state[code]["average"])
        super().step(closure)
