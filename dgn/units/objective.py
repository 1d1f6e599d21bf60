"""Units to scores: what is climbed."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from dgn.base.errors import UserError
from dgn.units.grammar import Term, Unit


class Objective(Protocol):
    """What becomes of a layer's values before a unit's terms are read: a class here and a YAML under conf/objective."""

    def __call__(self, values: Tensor, named: Tensor) -> Tensor:
        """Values (N, C) at the term's place to the same shape; `named` (N, C) says which ones a row's unit names."""
        ...


class Logit:
    """The values as they are."""

    def __call__(self, values: Tensor, named: Tensor) -> Tensor:
        return values


class LogProbability:
    """log softmax over the layer's elements, or over the channels at the place that is read."""

    def __call__(self, values: Tensor, named: Tensor) -> Tensor:
        return values.log_softmax(1)


class Margin:
    """Each value minus the largest of those that the unit does not name; the value itself where it names all."""

    def __call__(self, values: Tensor, named: Tensor) -> Tensor:
        others = values.masked_fill(named, -torch.inf).amax(1, keepdim=True)
        return values - torch.where(others == -torch.inf, 0, others)


class Scorer(nn.Module):
    """Activation (N, D), (N, C, H, W) or (N, T, D), row i for `units[i]`, to scores (N,): differentiable, rows apart.

    The score is Σ weight · objective(values at the term's place)[channel] over the unit's terms, in their order.
    Raises UserError for a direction with an objective other than `Logit`.
    """

    def __init__(self, units: Sequence[Unit], objective: Objective) -> None:
        super().__init__()
        self.objective = objective
        rows = [unit.terms for unit in units]
        if not isinstance(objective, Logit) and any(term.direction is not None for row in rows for term in row):
            raise UserError("a direction has no log-probability and no margin: type objective=logit")
        self.steps: Any = nn.ModuleList()
        for terms in zip_longest(*rows):  # the k-th of every row; a row with fewer repeats its first, which counts once
            filled = [term or row[0] for term, row in zip(terms, rows, strict=True)]
            self.steps.append(_Terms(filled, [term is not None for term in terms]))

    def forward(self, activation: Tensor) -> Tensor:
        """(N, ...) to (N,)."""
        values = places(activation)
        named = torch.zeros(values.shape[:2], dtype=torch.bool, device=values.device)
        for step in self.steps:
            named[step.rows, step.channel] = True
        score = values.new_zeros(len(values))
        for step in self.steps:
            score = score + step(values, named, self.objective)
        return score


class _Terms(nn.Module):
    """One term a row, as tensors that move with the module that scores."""

    rows: Tensor
    channel: Tensor
    weight: Tensor
    place: Tensor
    mean: Tensor
    largest: Tensor
    counts: Tensor
    direction: Tensor | None

    def __init__(self, terms: Sequence[Term], counts: Sequence[bool]) -> None:
        super().__init__()
        self.averages, self.peaks = (any(term.place == how for term in terms) for how in ("mean", "max"))
        wide = next((term.direction for term in terms if term.direction is not None), None)
        direction = None
        if wide is not None:
            rows = [torch.zeros_like(wide) if term.direction is None else term.direction for term in terms]
            direction = torch.stack(rows)
        for name, value in {
            "rows": torch.arange(len(terms)),
            "channel": torch.tensor([term.channel or 0 for term in terms]),
            "weight": torch.tensor([term.weight for term in terms]),
            "place": torch.tensor([term.place if isinstance(term.place, int) else 0 for term in terms]),
            "mean": torch.tensor([[term.place == "mean"] for term in terms]),
            "largest": torch.tensor([[term.place == "max"] for term in terms]),
            "counts": torch.tensor(counts),
            "direction": direction,
        }.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, values: Tensor, named: Tensor, objective: Objective) -> Tensor:
        """(N, C, P) to the weighted values (N,), 0 where a row has no such term."""
        channel = self.channel
        if isinstance(objective, Logit) and self.direction is None:  # no other channel is looked at
            values, channel = values[self.rows, channel].unsqueeze(1), torch.zeros_like(channel)
        found = values[self.rows, :, self.place]
        if self.averages:
            found = torch.where(self.mean, values.mean(2), found)
        if self.peaks:
            found = torch.where(self.largest, values.amax(2), found)
        found = objective(found, named)
        own = found[self.rows, channel]
        if self.direction is not None:
            own = torch.where(self.direction.any(1), (found * self.direction).sum(1), own)
        return torch.where(self.counts, self.weight * own, 0)


def places(activation: Tensor) -> Tensor:
    """(N, D), (N, C, H, W) or (N, T, D) as (N, channels, places)."""
    if activation.ndim == 3:
        return activation.transpose(1, 2)
    return activation.flatten(2) if activation.ndim == 4 else activation.unsqueeze(2)
