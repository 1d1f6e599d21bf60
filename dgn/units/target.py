"""The target network at one layer, with its units and their scores."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from dgn.base.errors import UserError
from dgn.base.instantiate import instantiate
from dgn.base.memo import Memo
from dgn.networks import zoo
from dgn.networks.features import OUTPUT, Features
from dgn.networks.validate import check, settle
from dgn.units.grammar import layer_of
from dgn.units.objective import LogProbability, Scorer, places
from dgn.units.terms import Unit, parse
from dgn.units.unit_file import from_file

DEBUG = 2  # units of a run with debug=true


@dataclass
class Subject:
    """A target and its units.

    Attributes:
        target: read at the units' layer.
        units: in order.
        score: makes the scorer of a batch from its rows' units.
        is_output: whether the layer is the network's output, a vector whose softmax gives probabilities.
        classes: the names of the layer's elements, or None.
        judge: another network that classifies the finished pictures, or None.
        is_map: whether the layer is a map of several places.
        device: where finished pictures and real images are scored. The networks are moved there only for that.
    """

    target: Features
    units: list[Unit]
    score: Callable[[Sequence[Unit]], Scorer]
    is_output: bool
    classes: list[str] | None = None
    judge: Any = None
    is_map: bool = False
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def at_one_place(self, unit: Unit) -> bool:
        """Whether a unit is read at one place of a map: what it sees must not be moved away from there."""
        return self.is_map and any(isinstance(term.place, int) for term in unit.terms)

    def wanted(self, unit: Unit) -> str | None:
        """The name of the class that a unit maximises, if the unit is one output whose name no other output has."""
        (first, *others), classes = unit.terms, self.classes if self.is_output else None
        if not classes or others or first.channel is None or first.weight < 0:
            return None
        name = classes[first.channel]
        return name if classes.count(name) == 1 else None


def load_subject(
    config: Mapping[str, Any], probe: torch.Tensor, network: nn.Module | None = None, memo: Memo | None = None
) -> Subject:
    """The target and units of a config; `probe` (2, C, H, W) are images as the prior makes them, to try it on.

    The target is `network` if there is one, with the layer and the input of the config; otherwise it is loaded, or
    `memo` has it from the run before. Raises UserError if something does not fit.
    """
    node = config["target"]
    classes = zoo.classes(node)
    items = from_file(config["units_file"], classes) if config["units_file"] else config["units"]
    layer = layer_of(items, classes, str(node["layer"]))
    if network is None:
        made_from = (node, zoo.identity(node), layer, config["post_activation"])
        target = (memo or Memo())("target", made_from, lambda: zoo.features(node, layer, config["post_activation"]))
    else:
        target = settle(Features(network, layer, zoo.contract(node), config["post_activation"]))
    activation = check(target, probe, config["trainer"]["precision"])
    for name, place in target.places.items():
        print(f"note: layer {name} returns several tensors; using {place}")
    is_output = target.is_output(probe, activation)
    names = _names(node, classes, layer, activation, is_output)
    chosen = parse(items, activation.shape[1:], names)[: DEBUG if config["debug"] else None]
    objective = instantiate(config["objective"])
    if isinstance(objective, LogProbability) and places(activation).shape[1] == 1:
        raise UserError(f"the layer {layer} has one element, so its log-probability is always 0: set objective=logit")
    Scorer(chosen, objective)  # raises for units that this objective cannot score, before anything runs
    is_map = activation.ndim == 4 and activation[0, 0].numel() > 1
    return Subject(target, chosen, lambda rows: Scorer(rows, objective), is_output, names, is_map=is_map)


def _names(
    node: Mapping[str, Any], classes: list[str] | None, layer: str, activation: torch.Tensor, is_output: bool
) -> list[str] | None:
    """The names of a layer's elements: those of the network's outputs, at its output and at vectors of that length.

    Raises UserError if the output has another number of elements.
    """
    elements = activation.shape[2] if activation.ndim == 3 else activation.shape[1]
    if is_output or layer == OUTPUT:
        return zoo.classes_of(node, elements, "target")
    return classes if classes and activation.ndim == 2 and elements == len(classes) else None
