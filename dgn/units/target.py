"""The target network at its units' layers, with the units and their scores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from dgn.networks.features import Features
from dgn.units.objective import Scorer
from dgn.units.terms import Unit
from dgn.units.wanted import Level


@dataclass
class Target:
    """The network under study and its units.

    Attributes:
        features: the network, read at the units' layers; what it gives is what scores are made of.
        units: in order.
        score: makes the scorer of a batch from its rows' units.
        is_output: whether the only layer is the network's output, a vector whose softmax gives probabilities.
        classes: the names of the only layer's elements, or None.
        maps: the layers that are maps of several places; one layer may have any name.
        device: where finished pictures and real images are scored. The networks are moved there only for that.
    """

    features: Features
    units: list[Unit]
    score: Callable[[Sequence[Unit]], Scorer]
    is_output: bool
    classes: list[str] | None = None
    maps: Sequence[str] = ()
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def layer(self) -> str:
        """The units' layers, for people."""
        return ", ".join(self.features.layers)

    @property
    def is_map(self) -> bool:
        """Whether all units are in one layer, which is a map of several places."""
        return list(self.maps) == self.features.layers

    @property
    def objective(self) -> Any:
        """What is made of the values, see `dgn.units.objective`."""
        return self.score([]).objective

    @property
    def maximised(self) -> bool:
        """Whether units are to be as high as they can be, and not at a level."""
        return not isinstance(self.objective, Level)

    def at_one_place(self, unit: Unit) -> bool:
        """Whether a unit is read at one place of a map: what it sees must not be moved away from there."""
        return any(isinstance(term.place, int) and (term.layer or self.layer) in self.maps for term in unit.terms)

    def wanted(self, unit: Unit) -> str | None:
        """The name of the class that a unit maximises, if the unit is one output whose name no other output has."""
        if not self.maximised:
            return None
        (first, *others), classes = unit.terms, self.classes if self.is_output else None
        if not classes or others or first.channel is None or first.weight < 0:
            return None
        name = classes[first.channel]
        return name if classes.count(name) == 1 else None
