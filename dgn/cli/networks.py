"""`dgn networks NAME [WORDS]`: the layers of a network that can be read."""

from collections.abc import Sequence
from typing import Any

from omegaconf import OmegaConf

from dgn import settings
from dgn.cli.parser import Parser
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


def target(name: str, words: list[str], config_dir: str | None) -> dict[str, Any]:
    """The network's config with random weights, of which shapes do not depend."""
    from dgn.synthesis.list_layers import member, without_weights

    chosen = [*member(name, config_dir), *words]
    config = settings.composed("synthesize", settings.words("synthesize", chosen), config_dir).config
    config.target.weights = None
    check_missing({"target": OmegaConf.to_container(config.target, resolve=False)})
    return without_weights(settings.plain(config.target))
