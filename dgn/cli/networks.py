"""`dgn networks NAME [WORDS]`: the layers of a network that can be read."""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from omegaconf import OmegaConf

from dgn import settings
from dgn.base.errors import UserError, nearest
from dgn.base.folders import members
from dgn.base.typed import validated
from dgn.cli.parser import Parser
from dgn.networks.settings import NetworkSettings
from dgn.settings.check import check_missing
from dgn.settings.messages import explained


def parser() -> Parser:
    """What the command takes."""
    made = Parser(
        prog="dgn networks",
        description="Every layer of a network that can be read: shape, parameters, and FLOPs of one image up to it.",
    )
    made.add_argument("name", help="a member of conf/network, a model of torchvision or timm, or my_pkg.MyNet")
    made.add_argument("words", nargs="*", help="as for synthesize.py: target.args.depth=18 target.input.size=64")
    made.add_argument("--config-dir", help="a folder with a network/NAME.yaml of your own")
    return made


def run(words: Sequence[str]) -> None:
    """Print the table."""
    asked = parser().parse_intermixed_args(words)
    from dgn.networks import zoo
    from dgn.networks.summary import layers, table

    with explained("synthesize", asked.words):
        node = target(asked.name, asked.words, asked.config_dir)
    print(table(layers(zoo.module(node), zoo.contract(node))))


def target(name: str, words: list[str], config_dir: str | None) -> NetworkSettings:
    """The network's settings with random weights, of which shapes do not depend."""
    chosen = [*member(name, config_dir), *words]
    config = settings.composed("synthesize", settings.words("synthesize", chosen), config_dir).config
    config.target.weights = None
    check_missing({"target": OmegaConf.to_container(config.target, resolve=False)})
    network = validated(NetworkSettings, settings.plain(config.target), "target.")
    args = {key: value for key, value in network.args.items() if key not in {"weights", "pretrained"}}
    return network.model_copy(update={"args": args})


def member(name: str, config_dir: str | None) -> list[str]:
    """The words that choose a network by its name."""
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
