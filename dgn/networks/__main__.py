"""`python -m dgn.networks NAME [WORDS]`: the layers of a network that can be read."""

import argparse
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dgn import config as settings
from dgn import mistakes
from dgn.base.errors import UserError, nearest
from dgn.networks import zoo
from dgn.networks.summary import layers, table


def main(typed: list[str] | None = None) -> None:
    """Print the table; a mistake is one sentence and exit code 1. `typed` is the command line's by default."""
    parser = argparse.ArgumentParser(
        prog="python -m dgn.networks",
        description="Every layer of a network that can be read: shape, parameters, and FLOPs of one image up to it.",
    )
    parser.add_argument("name", help="a member of conf/network, a model of torchvision or timm, or my_pkg.MyNet")
    parser.add_argument("words", nargs="*", help="as for synthesize.py: target.args.depth=18 target.input.size=64")
    parser.add_argument("--config-dir", help="a folder with a network/NAME.yaml of your own")
    asked = parser.parse_intermixed_args(typed)
    try:
        node = target(asked.name, asked.words, asked.config_dir)
        print(table(layers(zoo.module(node), zoo.contract(node))))
    except (UserError, OSError) as error:
        sys.exit(f"error: {error}")
    except (HydraException, OmegaConfBaseException) as error:
        sys.exit(f"error: {mistakes.sentence(error, 'synthesize', asked.words)}")


def target(name: str, words: list[str], config_dir: str | None) -> dict[str, Any]:
    """The network's config with random weights, of which shapes do not depend."""
    settings.register_resolvers()
    chosen = [*member(name, config_dir), *words]
    search = [f"hydra.searchpath=[file://{Path(config_dir).resolve()}]"] if config_dir else []
    with initialize_config_dir(version_base="1.3", config_dir=str(settings.CONF)):
        composed: DictConfig = compose("synthesize", overrides=[*search, *settings.words("synthesize", chosen)])
    composed.target.weights = None
    mistakes.check_missing({"target": OmegaConf.to_container(composed.target, resolve=False)})
    node = settings.plain(composed.target)
    own = {key: value for key, value in node["args"].items() if key not in {"weights", "pretrained"}}
    return node | {"args": own}


def member(name: str, config_dir: str | None) -> list[str]:
    """The words that choose a network by its name."""
    folders = [settings.CONF, *([Path(config_dir)] if config_dir else [])]
    members = sorted(path.stem for folder in folders for path in (folder / "network").glob("*.yaml"))
    if name in members:
        return [f"network@target={name}"]
    from torchvision import models

    known = models.list_models(module=models)
    if name in known:
        return ["network@target=torchvision", f"target.args.name={name}"]
    if find_spec("timm") and import_module("timm").is_model(name):
        return ["network@target=timm", f"target.args.model_name={name}"]
    if "." in name:
        return [f"target._target_={name}"]
    raise UserError(f"there is no network {name!r}: {nearest(name, [*members, *known])}")


if __name__ == "__main__":
    main()
