"""What is looked at: the target at one layer, its units, and how they are scored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from hydra.utils import instantiate
from torch import nn

from dgn.networks import zoo
from dgn.networks.features import Features
from dgn.networks.validate import check
from dgn.units.grammar import Unit, from_file, parse, split_layer
from dgn.units.objective import Scorer


@dataclass
class Subject:
    """A target and what is asked of it.

    Attributes:
        target: read at the units' layer.
        units: in order.
        score: units of the rows of a batch to their scorer.
        is_output: whether the layer is the vector that the target puts out: then its softmax means something.
        classes: the names of the layer's elements, where they have any.
        judge: another network that is asked about the finished pictures, or None.
    """

    target: Features
    units: list[Unit]
    score: Callable[[Sequence[Unit]], Scorer]
    is_output: bool
    classes: list[str] | None = None
    judge: Any = None

    def wanted(self, unit: Unit) -> str | None:
        """The name of the one class that a unit maximises at the target's output; None of any other unit."""
        (first, *others), named = unit.terms, self.classes if self.is_output else None
        if not named or others or first.channel is None or first.weight < 0:
            return None
        return named[first.channel]


def load_subject(config: Mapping[str, Any], probe: torch.Tensor, network: nn.Module | None = None) -> Subject:
    """The target of the config, or `network` with the config's layer and contract, checked on `probe` (1, C, H, W)."""
    node = config["target"]
    items = from_file(config["units_file"]) if config["units_file"] else config["units"]
    layer, items = split_layer(items)
    layer = layer or str(node["layer"])
    if network is None:
        target = zoo.features(node, layer, config["activated"])
    else:
        target = Features(network, layer, zoo.contract(node), config["activated"])
    activation = check(target, probe)
    classes = zoo.classes(node)
    named = classes if classes and activation.ndim == 2 and activation.shape[1] == len(classes) else None
    chosen = parse(items, activation.shape[1:], named)
    objective = instantiate(config["objective"])
    Scorer(chosen, objective)  # refuses what does not go together before anything runs
    return Subject(target, chosen, lambda rows: Scorer(rows, objective), target.is_output(probe, activation), named)
