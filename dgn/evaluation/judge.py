"""A judge: an independent network that classifies finished pictures."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dgn.base import images
from dgn.base.errors import UserError
from dgn.evaluation import metrics
from dgn.networks import zoo
from dgn.networks.features import OUTPUT, Features
from dgn.networks.settings import NetworkSettings
from dgn.units.names import ClassNames


class Judge:
    """A network with named outputs that says where a class stands among them.

    Args:
        network: read at its output, (N, classes).
        classes: the names of its outputs.
        name: what messages call it.
    """

    def __init__(self, network: Features, classes: Sequence[str], name: str) -> None:
        self.network, self.name, self.names = network, name, ClassNames(classes)

    def knows(self, name: str | None) -> bool:
        """Whether exactly one of its outputs has this name, in the loose spelling of units."""
        return name is not None and self.names.find(name) is not None

    @torch.no_grad()
    def ranks(self, pictures: Tensor, wanted: Sequence[str | None]) -> list[int | None]:
        """The place of each picture's class among all outputs, from 1; None where there is no class or no such output.

        Pictures (N, C, H, W) in [0, 1], on the network's device, are looked at as they are saved, in 8 bits.
        """
        known = [i for i, name in enumerate(wanted) if self.knows(name)]
        places: list[int | None] = [None] * len(wanted)
        if known:
            labels = torch.tensor([self.names.find(str(wanted[i])) for i in known])
            scores = self.network(images.from_uint8(images.to_uint8(pictures[known])).to(pictures.device))
            for i, rank in zip(known, metrics.ranks(scores.cpu(), labels).tolist(), strict=True):
                places[i] = rank
        return places


def load(settings: NetworkSettings, took_part: Mapping[str, str | None]) -> Judge:
    """The judge of a network's settings.

    `took_part` has the weights' identities of the networks that made the pictures, by what they are. UserError where
    the judge is one of them, or has no names for its outputs.
    """
    name, weights = settings.name, zoo.identity(settings)
    for part, identity in took_part.items():
        if weights is not None and weights == identity:
            raise UserError(f"{name} is also {part}, so it cannot judge: set network@judge=ANOTHER")
    classes = zoo.classes(settings)
    if not classes:
        raise UserError(f"the judge {name} has no class names: set judge.classes=imagenet or judge.classes=FILE")
    if len(classes) == 1:
        raise UserError(f"the judge {name} has only one class: set network@judge=ANOTHER")
    judge = named(settings)
    if judge is None:
        raise UserError(f"the judge {name} does not return one score per class name ({len(classes)}): set "
                        "judge.classes=FILE")  # fmt: skip
    return judge


def named(settings: NetworkSettings, role: str = "judge") -> Judge | None:
    """The network, which plays `role`, as a judge; None if its outputs have no names, or it has only one.

    Raises UserError if it has more class names than outputs, or fewer.
    """
    if len(zoo.classes(settings) or []) < 2:
        return None
    network = zoo.features(settings, OUTPUT, activated=True, role=role)
    with torch.no_grad():
        output = network(torch.zeros(1, 3, *images.sides(network.contract.size)))
    classes = zoo.classes_of(settings, output.shape[1], role) if output.ndim == 2 else None
    return Judge(network, classes, settings.name) if classes else None
