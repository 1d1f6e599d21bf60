"""Several networks as one: the mean or minimum of their standardised scores, and every layer of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from dgn.base.errors import UserError
from dgn.networks.outputs import tensor_of
from dgn.networks.preprocessing import Preprocessing


@dataclass(frozen=True)
class Member:
    """One of the networks.

    Attributes:
        network: as it is built.
        contract: its own input contract.
        classes: the names of its outputs, or None.
    """

    network: nn.Module
    contract: Preprocessing
    classes: list[str] | None


class Ensemble(nn.Module):
    """Images (N, C, H, W) in [0, 1] of any size to scores (N, classes), of the classes that all members name alike.

    Each member sees the images through its own preprocessing, at its own size. Its scores are standardised for each
    image: minus their mean over its outputs, over their standard deviation. That needs no images to measure on, and
    makes networks comparable whose scores are of different size. A layer of the member `a` is called `a.conv5`.

    Args:
        members: by their names, which begin the names of their layers.
        combine: the mean of the standardised scores, or their minimum, by which all members have to be satisfied.
    """

    def __init__(self, members: Mapping[str, Member], combine: Literal["mean", "minimum"]) -> None:
        super().__init__()
        if len(members) < 2:
            raise UserError("an ensemble needs two members or more: set network@target.members.a=… and members.b=…")
        for name, member in members.items():
            if not name.isidentifier() or hasattr(self, name):
                raise UserError(f"a member cannot be called {name!r}: choose letters, such as a")
            self.add_module(name, member.network)
        self.combine, self.contracts = combine, {name: member.contract for name, member in members.items()}
        self.names = {name: member.classes for name, member in members.items()}
        self.classes = shared(list(self.names.values()))
        for name, own in self.names.items():
            columns = torch.tensor([own.index(one) for one in self.classes]) if own and self.classes else None
            self.register_buffer(f"{name}_columns", columns, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """UserError where the members have no class in common; layers of theirs are then read all the same."""
        scores = {name: self._scores(name, x) for name in self.contracts}
        if not self.classes:
            raise UserError("the members of the ensemble share no class name: set units of their layers, such as "
                            f"{next(iter(scores))}:3")  # fmt: skip
        every = torch.stack(list(scores.values()))
        return every.mean(0) if self.combine == "mean" else every.amin(0)

    def _scores(self, name: str, x: Tensor) -> Tensor:
        """A member's standardised scores of the shared classes, (N, classes)."""
        contract = self.contracts[name]
        scores = tensor_of(getattr(self, name)(contract.normalise(contract.fitted(x))), len(x))
        columns, own = getattr(self, f"{name}_columns"), self.names[name]
        if columns is None:
            return x.new_zeros(len(x), 0)
        if scores is None or scores.ndim != 2 or own is None or scores.shape[1] != len(own):
            raise UserError(
                f"the member {name} does not return one score per class name: set members.{name}.classes=FILE"
            )
        centred = scores - scores.mean(1, keepdim=True)
        return (centred / centred.square().mean(1, keepdim=True).sqrt()).index_select(1, columns)


def shared(names: Sequence[list[str] | None]) -> list[str]:
    """The names that all lists have, each once, in the order of the first; none if a list is missing."""
    first, *others = names
    return [name for name in first or [] if all(own and own.count(name) == 1 for own in [first, *others])]
