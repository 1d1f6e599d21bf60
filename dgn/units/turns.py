"""Units of several terms, of which each step of a climb follows one."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from dgn.units.objective import Activations, Logit, Scorer
from dgn.units.terms import Unit


class Alternate(Logit):
    """The values as they are; a climb follows the terms of a sum in turn, one a step, not their sum."""

    name = "the unit's value, of which each step followed one term"


class Turns(Scorer):
    """The scores of whole units, with the gradient of one term of each: in step t the (t mod K)th of a row's K terms.

    Attributes:
        turn: t, set by who climbs.
    """

    counts: Tensor

    def __init__(self, units: Sequence[Unit], objective: Alternate) -> None:
        super().__init__(units, objective)
        self.turn = 0
        self.register_buffer("counts", torch.tensor([len(unit.terms) for unit in units]), persistent=False)
        most = max((len(unit.terms) for unit in units), default=0)
        self.terms = nn.ModuleList(Scorer([_alone(unit, k) for unit in units], objective) for k in range(most))

    def forward(self, activation: Activations) -> Tensor:
        """(N, ...), of one layer or of each by its name, to (N,)."""
        whole = super().forward(activation)
        followed = torch.zeros_like(whole)
        for k, term in enumerate(self.terms):
            followed = followed + torch.where(self.turn % self.counts == k, term(activation), 0)
        return followed + (whole - followed).detach()


def _alone(unit: Unit, k: int) -> Unit:
    """The unit of its k-th term alone; of its last one where it has fewer, which no turn follows."""
    return replace(unit, terms=(unit.terms[min(k, len(unit.terms) - 1)],))
