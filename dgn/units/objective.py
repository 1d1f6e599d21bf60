"""Objectives and scores of units: what the ascent maximises."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from dgn.base.errors import UserError
from dgn.units.directions import places
from dgn.units.terms import Term, Unit
from dgn.units.wanted import Level, Match, nearness

Activations = Tensor | Mapping[str, Tensor]  # of the one layer that is read, or of each by its name


class Objective(Protocol):
    """A function of a layer's values; the terms are read from its result. A new one is a class and a YAML."""

    def __call__(self, values: Tensor, named: Tensor) -> Tensor:
        """Values (N, C) at a term's place to the same shape; `named` (N, C) marks the elements of each row's unit."""
        ...


class Logit:
    """The values as they are."""

    name = "the unit's value"  # what a page calls the score

    def __call__(self, values: Tensor, named: Tensor) -> Tensor:
        return values


class LogProbability:
    """log softmax over the layer's elements, or over a map's channels at the term's place."""

    name = "the logarithm of the unit's softmax probability"

    def __call__(self, values: Tensor, named: Tensor) -> Tensor:
        return values.log_softmax(1)


class OwnLogProbability(LogProbability):
    """The same number, with the gradient of PPGN's released sampler: (1 − p) at the element itself, 0 at the others."""

    def __call__(self, values: Tensor, named: Tensor) -> Tensor:
        own = super().__call__(values, named).detach()
        return own + (1 - own.exp()) * (values - values.detach())


class Margin:
    """Each value minus the largest value outside the unit; the value itself if the unit names every element."""

    name = "the unit's value minus the largest of the others"

    def __call__(self, values: Tensor, named: Tensor) -> Tensor:
        others = values.masked_fill(named, -torch.inf).amax(1, keepdim=True)
        return values - torch.where(others == -torch.inf, 0, others)


Scored = Objective | Level | Match


class Scorer(nn.Module):
    """Activation (N, D), (N, C, H, W) or (N, T, D), row i for `units[i]`, to scores (N,). Rows are independent.

    The score is the sum over the unit's terms of weight · objective(values at the place)[channel]. For a direction d it
    is weight · ((d · values)[place] + offset): the maximum over positions is that of the projected values. "mean" and
    "max" are taken before `LogProbability` and `Margin`, for each channel by itself. Units of several layers take the
    activations by layer; their terms are added layer by layer. `Level` is of the sum, `Match` of each term.

    Raises UserError for a direction with an objective that compares channels, and for a term of `Match` that is none.
    """

    level: Tensor | None

    def __init__(self, units: Sequence[Unit], objective: Scored) -> None:
        super().__init__()
        self.objective = objective
        terms = [term for unit in units for term in unit.terms]
        check_terms(terms, objective)
        self.register_buffer("level", objective.of(units) if isinstance(objective, Level) else None, persistent=False)
        self.layers = list(dict.fromkeys(term.layer for term in terms))
        self.parts: Any = nn.ModuleList(_AtLayer(units, layer, objective) for layer in self.layers)

    def forward(self, activation: Activations) -> Tensor:
        """(N, ...), of one layer or of each by its name, to (N,)."""
        parts = [part(x) for part, x in zip(self.parts, by_layer(activation, self.layers), strict=True)]
        score = sum(parts[1:], parts[0])
        return score if self.level is None else nearness(score, self.level)


def check_terms(terms: Sequence[Term], objective: Scored) -> None:
    """UserError for a term that the objective cannot score."""
    if isinstance(objective, Match):
        objective.check(terms)
    elif not isinstance(objective, Logit | Level) and any(term.direction is not None for term in terms):
        raise UserError("this objective is not defined for a direction: set objective=logit")


class _AtLayer(nn.Module):
    """What the rows' terms in one layer add to their scores; 0 for a row without one."""

    rows: Tensor

    def __init__(self, units: Sequence[Unit], layer: str | None, objective: Scored) -> None:
        super().__init__()
        self.objective, self.count = objective, len(units)
        here = [[term for term in unit.terms if term.layer == layer] for unit in units]
        used = [i for i, terms in enumerate(here) if terms]
        rows = [here[i] for i in used]
        self.register_buffer("rows", torch.tensor(used), persistent=False)
        self.steps: Any = nn.ModuleList()
        for terms in zip_longest(*rows):  # the k-th of every row; a row with fewer repeats its first, with weight zero
            filled = [term or row[0] for term, row in zip(terms, rows, strict=True)]
            self.steps.append(_Terms(filled, [term is not None for term in terms]))

    def forward(self, activation: Tensor) -> Tensor:
        """(N, ...) to (N,)."""
        if len(self.rows) == self.count:
            return self._scores(activation)
        scores = self._scores(activation[self.rows])
        return scores.new_zeros(self.count).index_copy(0, self.rows, scores)

    def _scores(self, activation: Tensor) -> Tensor:
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
    along: Tensor
    offset: Tensor
    every: Tensor
    variance: Tensor
    direction: Tensor | None

    def __init__(self, terms: Sequence[Term], counts: Sequence[bool]) -> None:
        super().__init__()
        self.averages, self.peaks, self.sums = (
            any(term.place == how for term in terms) for how in ("mean", "max", "every")
        )
        direction = _directions(terms)
        for name, value in {
            "rows": torch.arange(len(terms)),
            "channel": torch.tensor([term.channel or 0 for term in terms]),
            "weight": torch.tensor([term.weight for term in terms]),
            "place": torch.tensor([term.place if isinstance(term.place, int) else 0 for term in terms]),
            "mean": torch.tensor([[term.place == "mean"] for term in terms]),
            "largest": torch.tensor([[term.place == "max"] for term in terms]),
            "counts": torch.tensor(counts),
            "along": torch.tensor([[term.direction is not None] for term in terms]),
            "offset": torch.tensor([term.offset or 0.0 for term in terms]),
            "every": torch.tensor([[term.place == "every"] for term in terms]),
            "direction": direction,
            "variance": torch.tensor([1.0 if term.direction is None else _variance(term.direction) for term in terms]),
        }.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, values: Tensor, named: Tensor, objective: Scored) -> Tensor:
        """(N, C, P) to the weighted values (N,), 0 where a row has no such term."""
        if isinstance(objective, Match):
            value = self._nearness(values)
        elif isinstance(objective, Logit | Level):  # no other channel is read
            value = self._at_place(self._projected(values).unsqueeze(1)).squeeze(1)
            value = value if self.direction is None else value + self.offset
        else:
            value = objective(self._at_place(values), named)[self.rows, self.channel]
        return torch.where(self.counts, self.weight * value, 0)

    def _projected(self, values: Tensor) -> Tensor:
        """(N, C, P) to each row's channel, or its values along the direction: (N, P)."""
        channel = values[self.rows, self.channel]
        if self.direction is None:
            return channel
        return torch.where(self.along, (values * self.direction).sum(1), channel)

    def _nearness(self, values: Tensor) -> Tensor:
        """(N, C, P) to minus the squared distance from each row's pattern over its variance, (N,); see `Match`."""
        assert self.direction is not None  # `Match` has been checked
        distance = (self._at_place(values) - self.direction[:, :, 0]).square().mean(1)
        if self.sums:
            distance = torch.where(self.every[:, 0], (values - self.direction).square().mean((1, 2)), distance)
        return -distance / self.variance

    def _at_place(self, values: Tensor) -> Tensor:
        """(N, K, P) to the values at each row's place, their mean, their maximum or their sum: (N, K)."""
        at_place = values[self.rows, :, self.place]
        if self.averages:
            at_place = torch.where(self.mean, values.mean(2), at_place)
        if self.peaks:
            at_place = torch.where(self.largest, values.amax(2), at_place)
        if self.sums:
            at_place = torch.where(self.every, values.sum(2), at_place)
        return at_place


def _directions(terms: Sequence[Term]) -> Tensor | None:
    """The terms' directions (N, C, 1), or (N, C, P) if one has more places; zero where there is none; None for none."""
    known = [term.direction for term in terms if term.direction is not None]
    if not known:
        return None
    largest = max(known, key=lambda direction: direction.shape[1])
    return torch.stack([torch.zeros_like(largest) if term.direction is None else term.direction.expand_as(largest)
                        for term in terms])  # fmt: skip


def _variance(direction: Tensor) -> float:
    return float(direction.double().var(correction=0))


def by_layer(activation: Activations, layers: Sequence[str | None]) -> list[Tensor]:
    """The activation of each layer; a tensor is that of the only one. ValueError for a tensor where there are more."""
    if isinstance(activation, Tensor):
        if len(layers) > 1:
            raise ValueError(f"units of the layers {layers} need the activations of all, by layer")
        return [activation]
    return [activation[str(layer)] for layer in layers]
