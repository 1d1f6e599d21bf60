"""Scores of all units for each image in one pass, used for dataset examples."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dgn.units.directions import places
from dgn.units.objective import Activations, Logit, LogProbability, Margin, Scored, by_layer
from dgn.units.terms import Term, Unit
from dgn.units.wanted import Level, Match, nearness


class ScoreTable(nn.Module):
    """Activation (N, D), (N, C, H, W) or (N, T, D) to scores (N, units): each column is what `Scorer` gives.

    Units of several layers take the activations by layer. Terms that are read at one place are read together.
    """

    groups: Any
    level: Tensor | None

    def __init__(self, units: Sequence[Unit], objective: Scored) -> None:
        super().__init__()
        self.count = len(units)
        self.register_buffer("level", objective.of(units) if isinstance(objective, Level) else None, persistent=False)
        at: dict[tuple[str | None, int | str, bool], list[tuple[int, Term]]] = {}
        for number, unit in enumerate(units):
            for term in unit.terms:
                at.setdefault((term.layer, term.place, term.direction is not None), []).append((number, term))
        self.layers = list(dict.fromkeys(layer for layer, *_ in at))
        self.layer_of = [self.layers.index(layer) for layer, *_ in at]
        self.groups = nn.ModuleList(
            _Group(place, terms, [_named(units[number], layer) for number, _ in terms], objective)
            for (layer, place, _), terms in at.items()
        )
        self.one_each = len(at) == 1 and self.groups[0].unit.tolist() == list(range(self.count))  # nothing to add up

    def forward(self, activation: Activations) -> Tensor:
        """(N, ...), of one layer or of each by its name, to (N, units)."""
        scores = self._scores([places(x) for x in by_layer(activation, self.layers)])
        return scores if self.level is None else nearness(scores, self.level)

    def _scores(self, values: Sequence[Tensor]) -> Tensor:
        if self.one_each:
            return self.groups[0](values[0])
        scores = values[0].new_zeros(len(values[0]), self.count)
        for group, layer in zip(self.groups, self.layer_of, strict=True):
            scores.index_add_(1, group.unit, group(values[layer]))
        return scores


def _named(unit: Unit, layer: str | None) -> list[int]:
    """The elements of a layer that a unit names."""
    return [term.channel or 0 for term in unit.terms if term.layer == layer]


class _Group(nn.Module):
    """Terms at one place, all of them elements or all directions, each with the number of its unit.

    `named` has the elements that each term's unit names.
    """

    unit: Tensor
    channel: Tensor
    weight: Tensor
    offset: Tensor
    marks: Tensor | None

    def __init__(
        self,
        place: int | str,
        terms: Sequence[tuple[int, Term]],
        named: Sequence[list[int]],
        objective: Scored,
    ) -> None:
        super().__init__()
        self.place, self.objective, self.named = place, objective, named
        self.most, self.marks = max(map(len, named)), None
        directions = [term.direction for _, term in terms if term.direction is not None]
        self.register_buffer("unit", torch.tensor([number for number, _ in terms]), persistent=False)
        self.register_buffer("channel", torch.tensor([term.channel or 0 for _, term in terms]), persistent=False)
        self.register_buffer("weight", torch.tensor([term.weight for _, term in terms]), persistent=False)
        self.register_buffer("offset", torch.tensor([term.offset or 0.0 for _, term in terms]), persistent=False)
        self.register_buffer("direction", torch.stack(directions) if directions else None, persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """(N, C, P) to the weighted values (N, terms)."""
        if isinstance(self.objective, Match):  # of patterns alone
            return self._nearness(values) * self.weight
        if isinstance(self.direction, Tensor):
            if self.place == "every":
                return torch.einsum("ncp,tcp->nt", values, self.direction.to(values.dtype)) * self.weight
            projected = torch.einsum("ncp,tc->ntp", values, self.direction[:, :, 0].to(values.dtype))
            return (self._at_place(projected) + self.offset) * self.weight
        return self._objective(self._at_place(values)) * self.weight

    def _nearness(self, values: Tensor) -> Tensor:
        """(N, C, P) to each term's score by `Match`, (N, terms); a term at a time, which needs less memory."""
        values = values if self.place == "every" else self._at_place(values)[:, :, None]
        assert isinstance(self.direction, Tensor)  # `Match` has been checked
        near = [-(values - d).square().mean((1, 2)) / d.double().var(correction=0) for d in self.direction]
        return torch.stack(near, 1).to(values.dtype)

    def _at_place(self, values: Tensor) -> Tensor:
        if self.place == "mean":
            return values.mean(2)
        return values.amax(2) if self.place == "max" else values[:, :, int(self.place)]

    def _objective(self, values: Tensor) -> Tensor:
        """(N, C) to the objective's value at each term's element, (N, terms)."""
        assert not isinstance(self.objective, Match)
        if isinstance(self.objective, Logit | Level):
            return values.index_select(1, self.channel)
        if isinstance(self.objective, LogProbability):
            return values.log_softmax(1).index_select(1, self.channel)
        marks = self._marks(values)
        if isinstance(self.objective, Margin):
            return values.index_select(1, self.channel) - _largest_of_others(values, marks, self.most)
        columns = zip(marks, self.channel.tolist(), strict=True)
        return torch.stack([self.objective(values, row.expand_as(values))[:, channel] for row, channel in columns], 1)

    def _marks(self, values: Tensor) -> Tensor:
        """(terms, C): the elements that each term's unit names; made once."""
        if self.marks is None or self.marks.shape[1] != values.shape[1] or self.marks.device != values.device:
            marks = torch.zeros(len(self.named), values.shape[1], dtype=torch.bool)
            for row, channels in zip(marks, self.named, strict=True):
                row[channels] = True
            self.marks = marks.to(values.device)
        return self.marks


def _largest_of_others(values: Tensor, named: Tensor, most: int) -> Tensor:
    """The largest of (N, C) that each row of `named` (T, C) leaves, (N, T); 0 where it leaves none.

    Where a unit names at most `most` elements it is among the `most` + 1 largest.
    """
    largest, index = values.topk(min(most + 1, values.shape[1]), dim=1)
    others = largest.unsqueeze(2).masked_fill(named.T[index], -torch.inf).amax(1)
    return torch.where(others == -torch.inf, 0, others)
