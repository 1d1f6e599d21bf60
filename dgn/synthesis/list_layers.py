"""List the layers of a network, by name or live."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import nn

from dgn.base.errors import UserError, nearest
from dgn.base.folders import members
from dgn.networks import summary, zoo
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
    from torchvision import models

    known = models.list_models(module=models)
    if name in known:
        return ["network@target=torchvision", f"target.args.name={name}"]
    if find_spec("timm") and import_module("timm").is_model(name):
        return ["network@target=timm", f"target.args.model_name={name}"]
    if "." in name:
        return [f"target._target_={name}"]
    raise UserError(f"there is no network {name!r}: {nearest(name, [*listed, *known])}")


def without_weights(network: NetworkSettings) -> NetworkSettings:
    """A network's settings with random weights."""
    args = {key: value for key, value in network.args.items() if key not in {"weights", "pretrained"}}
    return network.model_copy(update={"args": args, "weights": None})
