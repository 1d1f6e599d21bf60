"""Does a network that took no part agree? A judge names what it sees in finished pictures; nothing climbs at it."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from dgn.base import images
from dgn.base.errors import UserError
from dgn.evaluation import metrics
from dgn.networks import zoo
from dgn.networks.features import OUTPUT, Features
from dgn.networks.validate import first_pass
from dgn.units.names import Names


class Judge:
    """A network with named outputs that says where a class stands among them.

    Args:
        network: read at its output, (N, classes).
        classes: the names of its outputs.
        name: what messages call it.
    """

    def __init__(self, network: Features, classes: Sequence[str], name: str) -> None:
        self.network, self.name, self.names = network, name, Names(classes)

    def knows(self, name: str | None) -> bool:
        """Whether one of its outputs is called so, as a typed unit would be found."""
        return name is not None and self.names.find(name) is not None

    @torch.no_grad()
    def ranks(self, pictures: Tensor, wanted: Sequence[str | None]) -> list[int | None]:
        """The place of each picture's class among all outputs, from 1; None where there is no class or no such output.

        Pictures (N, C, H, W) in [0, 1] are looked at as they are saved, in 8 bits.
        """
        known = [i for i, name in enumerate(wanted) if self.knows(name)]
        found: list[int | None] = [None] * len(wanted)
        if known:
            labels = torch.tensor([self.names.find(str(wanted[i])) for i in known])
            scores = self.network(images.from_uint8(images.to_uint8(pictures[known])))
            for i, rank in zip(known, metrics.ranks(scores, labels).tolist(), strict=True):
                found[i] = rank
        return found


def load(config: Mapping[str, Any], took_part: Mapping[str, str | None]) -> Judge:
    """The judge of a network's config.

    `took_part` has the weights' identities of the networks that made the pictures, by what they are. UserError where
    the judge is one of them, or has no names for its outputs.
    """
    name, own = config["name"], zoo.identity(config)
    for part, identity in took_part.items():
        if own is not None and own == identity:
            raise UserError(f"{name} took part as {part}, so it is no judge: type network@judge=ANOTHER")
    classes = zoo.classes(config)
    if not classes:
        raise UserError(f"the judge {name} has no class names: type judge.classes=imagenet or judge.classes=FILE")
    found = named(config)
    if found is None:
        raise UserError(f"the judge {name} does not put out one number for each of its {len(classes)} class names: "
                        "type judge.classes=FILE")  # fmt: skip
    return found


def named(config: Mapping[str, Any], role: str = "judge") -> Judge | None:
    """The network of a config, which plays `role`, as a judge; None where its outputs have no names."""
    classes = zoo.classes(config)
    if not classes:
        return None
    network = zoo.features(config, OUTPUT, activated=True)
    with torch.no_grad(), first_pass(network.contract, role):
        output = network(torch.zeros(1, 3, network.contract.size, network.contract.size))
    return Judge(network, classes, config["name"]) if output.shape == (1, len(classes)) else None
