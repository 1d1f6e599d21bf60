"""`dgn networks NAME [KEY=VALUE …]`: list the layers of a network, its class names, or its receptive fields."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from dgn import settings
from dgn.base.errors import UserError
from dgn.base.folders import members
from dgn.base.typed import validated
from dgn.cli.parser import Parser
from dgn.networks.settings import NetworkSettings
from dgn.settings import renamed
from dgn.settings.check import check_missing
from dgn.settings.messages import explained


def parser() -> Parser:
    """The options of the command."""
    made = Parser(
        prog="dgn networks",
        description="List a network's readable layers: shape, parameters, and FLOPs of one image up to each.",
    )
    made.add_argument(
        "name", nargs="?", help="a member of conf/network, a model of torchvision or timm, or my_pkg.MyNet"
    )
    made.add_argument("words", nargs="*", metavar="KEY=VALUE", help="settings of dgn synthesize: "
                      "target.args.depth=18 target.input.size=64")  # fmt: skip
    made.add_argument("--classes", action="store_true", help="list the class names with their indices instead")
    made.add_argument("--receptive-field", action="store_true", help="list how much of the picture a position of each "
                      "map sees instead: what can reach it, and what moves it")  # fmt: skip
    made.add_argument("--config-dir", help="a folder with your own network/NAME.yaml")
    return made


def run(words: Sequence[str]) -> None:
    """Print the table of layers, the class names, or the receptive fields."""
    asked = parser().parse_intermixed_args(words)
    if asked.name is None:
        names = members("network", *([Path(asked.config_dir)] if asked.config_dir else []))
        print("\n".join(name for name in names if name not in renamed.MEMBERS))
        return
    from dgn.base.images import sides
    from dgn.networks import receptive_field, zoo
    from dgn.networks.summary import layers, table
    from dgn.synthesis.list_layers import without_weights

    with explained("synthesize", asked.words):
        network = target(asked.name, asked.words, asked.config_dir)
    if asked.classes:
        print("\n".join(f"{i:>5}  {name}" for i, name in enumerate(class_names(network))))
    elif asked.receptive_field:
        module, contract = zoo.frozen(network), zoo.contract(network)
        maps = [layer.name for layer in layers(module, contract) if len(layer.shape) == 3]
        if not maps:
            raise UserError(f"{network.name} has no maps: only their positions have receptive fields")
        print(receptive_field.table(receptive_field.fields(module, contract, maps), max(sides(contract.size))))
    else:
        print(table(layers(zoo.module(without_weights(network)), zoo.contract(network))))


def target(name: str, words: list[str], config_dir: str | None) -> NetworkSettings:
    """The network's settings; its weights may be missing, because shapes do not depend on them."""
    from dgn.synthesis.list_layers import member

    chosen = [*member(name, config_dir), *words]
    config = settings.composed("synthesize", settings.words("synthesize", chosen), config_dir).config
    if OmegaConf.is_missing(config.target, "weights"):
        config.target.weights = None
    check_missing({"target": OmegaConf.to_container(config.target, resolve=False)})
    return validated(NetworkSettings, settings.plain(config.target), "target.")


def class_names(network: NetworkSettings) -> list[str]:
    """The names of the network's outputs, in order; UserError if it has none."""
    from dgn.networks import zoo
    from dgn.networks.summary import layers
    from dgn.synthesis.list_layers import without_weights

    names = zoo.classes(network)
    if network.classes == "auto":  # the names of ImageNet, if there are as many outputs
        (outputs,) = layers(zoo.module(without_weights(network)), zoo.contract(network))[-1].shape[:1]
        names = zoo.classes_of(network, outputs, "target")
    if names is None:
        raise UserError(f"{network.name} has no class names: set target.classes=FILE or imagenet, or use indices")
    return names
