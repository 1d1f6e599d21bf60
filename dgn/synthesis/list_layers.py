"""List the layers of a network, by name or live."""

from pathlib import Path
from typing import Any

from torch import nn
from torchvision import models

from dgn.base.errors import UserError, nearest
from dgn.base.folders import members
from dgn.networks import libraries, summary, zoo
from dgn.networks.preserve_state import preserve_state
from dgn.networks.settings import NetworkSettings
from dgn.synthesis.api import configure


def layers(target: nn.Module | str, **settings: Any) -> summary.Layers:
    """The readable layers of a network: name, class, shape for one image, parameters, FLOPs up to its end.

    Args:
        target: a live network, which is left unchanged; the name of a member of conf/network or of a model of
            torchvision or timm; or the import path of a class. No weights are loaded.
        settings: of the target, such as input={"size": 64} or args={"depth": 18}, see `dgn.synthesize`.

    Raises UserError, one sentence, for a network that does not exist or does not take such an input.
    """
    if isinstance(target, nn.Module):
        config, _ = configure(target, None, (), settings)
        with preserve_state(target):
            return summary.layers(target.cpu(), zoo.contract(config.target))
    chosen = member(target) if isinstance(target, str) else []
    config, _ = configure(None if chosen else target, None, chosen, settings)
    network = without_weights(config.target)
    return summary.layers(zoo.module(network), zoo.contract(network))


def member(name: str, config_dir: str | None = None) -> list[str]:
    """The words that choose a network by its name; UserError if there is none."""
    listed = members("network", *([Path(config_dir)] if config_dir else []))
    if name in listed:
        return [f"network@target={name}"]
    if words := libraries.words_for(name, "target"):
        return words
    if "." in name and "/" not in name and ":" not in name:
        return [f"target._target_={name}"]
    known = [*listed, *models.list_models(module=models)]
    raise UserError(f"there is no network {name!r}: {nearest(name, known)} (a class of your own: MODULE.CLASS, such as "
                    "shapenet.ShapeNet)")  # fmt: skip


def without_weights(network: NetworkSettings) -> NetworkSettings:
    """A network's settings with random weights."""
    args = {key: value for key, value in network.args.items() if key not in {"weights", "pretrained"}}
    return network.model_copy(update={"args": args, "weights": None})
