"""A prior by which a seed may change only some elements of a code, so that its pictures differ more from other seeds'.

    PYTHONPATH=docs/research/scripts dgn synthesize … seeds=4 prior._target_=parts_of_codes.Part +prior.share=0.5

What it gives and costs: docs/research/facets.md.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from dgn.generators.moments import Moments
from dgn.synthesis.priors import Ellipsoid, Step

STREAM = 3  # the second word of the generator's seed; transforms take another


class Part(Ellipsoid):
    """The ellipsoid and the box; all but a share of a vector code's elements, drawn from the seed, stay as they began.

    Args:
        moments: of the code on real images.
        share: of the elements that a seed may change, in (0, 1].
        rest: of `Ellipsoid`.
    """

    def __init__(self, moments: Moments, *, share: float, **rest: Any) -> None:
        super().__init__(moments, **rest)
        self.share = share

    @staticmethod
    def describe(moments: Moments, what: str = "code", *, share: float, **rest: Any) -> str:  # type: ignore[override]
        """Where the prior keeps the code, for the page."""
        return f"{100 * share:g} % of the {what}'s elements may change, and {Ellipsoid.describe(moments, what, **rest)}"

    def free(self, step: Step) -> Tensor:
        """(N, D) whether an element of a row may change."""
        width = step.code.shape[1]
        orders = [np.random.default_rng((seed, STREAM)).permutation(width) for seed in step.seeds]
        return torch.from_numpy(np.stack(orders) < self.share * width).to(step.code.device)

    def uphill(self, gradient: Tensor, step: Step) -> Tensor:
        """The gradient along the elements that may change."""
        return super().uphill(gradient, step) * self.free(step)

    def after(self, code: Tensor, step: Step) -> Tensor:
        """The code in its range, the other elements as they began."""
        return torch.where(self.free(step), super().after(code, step), step.start)
