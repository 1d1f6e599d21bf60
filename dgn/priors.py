"""Where a code may go: the range that codes have on real images.

A new prior is one class with `apply_to` and `at_bound`, and one YAML under conf/prior.
"""

import torch
from torch import Tensor, nn

from dgn.codes import Moments


class Box(nn.Module):
    """Clip to [lower, mean + k · std], then multiply by `shrink`; the order is that of act_max.py.

    Args:
        moments: of the code on real images, per element or per channel.
        k: how many standard deviations from the mean.
        lower: "zero" for 0 everywhere (released), "auto" for 0 where the code is never negative on data and
            mean − k · std elsewhere.
        shrink: factor after the clip, in (0, 1]: the released stand-in for the paper's L2 term. 1 is off.
    """

    lower: Tensor
    upper: Tensor

    def __init__(self, moments: Moments, *, k: float, lower: str, shrink: float) -> None:
        super().__init__()
        self.shrink = shrink
        below = (moments.mean - k * moments.std) * (moments.minimum < 0)
        self.register_buffer("lower", torch.zeros_like(below) if lower == "zero" else below)
        self.register_buffer("upper", moments.mean + k * moments.std)

    def apply_to(self, code: Tensor) -> Tensor:
        """The code pulled back into its range."""
        return code.clamp(self.lower, self.upper) * self.shrink

    def at_bound(self, code: Tensor) -> Tensor:
        """Per row, the share of elements within 1 % of a bound's distance, after undoing the shrink: (N,)."""
        code = code / self.shrink
        slack = 0.01 * (self.upper - self.lower)
        return ((code <= self.lower + slack) | (code >= self.upper - slack)).flatten(1).float().mean(1)


class Shrink(nn.Module):
    """No range, only the pull towards 0: code · `shrink` after every step (L2 on the code)."""

    def __init__(self, moments: Moments, *, shrink: float) -> None:
        super().__init__()
        self.shrink = shrink

    def apply_to(self, code: Tensor) -> Tensor:
        """The code, a little smaller."""
        return code * self.shrink

    def at_bound(self, code: Tensor) -> Tensor:
        """There is no bound: zeros, (N,)."""
        return code.new_zeros(len(code))


class Free(Shrink):
    """No prior at all."""

    def __init__(self, moments: Moments) -> None:
        super().__init__(moments, shrink=1.0)
