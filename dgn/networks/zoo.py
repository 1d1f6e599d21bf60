"""A network by its config: ours, torchvision's, timm's or the user's own class, with its weights and contract."""

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dgn.base import files
from dgn.base.errors import UserError
from dgn.networks import class_names
from dgn.networks.features import Features, leave_inference_mode
from dgn.networks.fuse_bn import fold
from dgn.networks.preprocessing import Preprocessing, from_config
from dgn.networks.validate import initialise, settle
from dgn.networks.weights import find, load, metadata


def module(config: Mapping[str, Any]) -> nn.Module:
    """Build `_target_` with `args` and load `weights` into it; with `weights` null it keeps its random start."""
    network = build(config["_target_"], config.get("args") or {})
    if config.get("input"):
        initialise(network, contract(config))
    if config.get("weights"):
        load(network, find(config["weights"]), config.get("by_order", False), config.get("strict", True))
    return network


def frozen(config: Mapping[str, Any]) -> nn.Module:
    """`module(config)` for what is not trained: without weights it is the same network in every process."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return module(config)


def build(target: str, args: Mapping[str, Any]) -> nn.Module:
    """What the importable class or function `target` gives for `args`; modules in the current folder are importable."""
    network = _called(_imported(target), target, dict(args))
    if not isinstance(network, nn.Module):
        raise UserError(f"{target} gives a {type(network).__name__}, not a network: name a class or function that "
                        "gives a torch.nn.Module")  # fmt: skip
    leave_inference_mode(network)
    return network


def _imported(target: str) -> Callable:
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # a script has its own folder there instead; last, so that it shadows nothing
    path, _, name = str(target).rpartition(".")
    try:
        return getattr(import_module(path), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"the network {target} cannot be imported ({error})") from None


def _called(builder: Callable, target: str, args: dict[str, Any]) -> Any:
    """`builder(**args)`; arguments that it does not take, or lacks, are the user's mistake and not a bug of its own."""
    try:
        inspect.signature(builder).bind(**args)
    except (TypeError, ValueError) as error:
        raise UserError(f"{target} cannot be built with args={args} ({error})") from None
    try:
        return builder(**args)
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        raise UserError(f"{target} cannot be built with args={args} ({error})") from None


def classes(config: Mapping[str, Any]) -> list[str] | None:
    """The names of the network's outputs, in order; None if it has none.

    `classes` is "imagenet", "auto" (ImageNet's names, if there are 1000 outputs), "weights" (the file has them), a text
    file with one name a line, a list, or null. Raises UserError for a file that is not one.
    """
    chosen = config.get("classes")
    if chosen is None:
        return None
    if isinstance(chosen, list):
        return class_names.complete(list(map(str, chosen)), "classes")
    if chosen in {"imagenet", "auto"}:
        return class_names.imagenet()
    if chosen == "weights":
        stored = metadata(find(config["weights"])).get("classes") if config.get("weights") else None
        return class_names.readable(stored.split("\n")) if stored else None
    path = Path(os.path.expanduser(str(chosen)))
    if not path.is_file():
        raise UserError(f"there is no file of class names {path}: set classes=FILE, classes=imagenet or classes=null")
    return class_names.from_file(path)


def classes_of(config: Mapping[str, Any], outputs: int, role: str) -> list[str] | None:
    """`classes(config)` for a network with so many outputs. Raises UserError if there are more names or fewer.

    `role` is the network's key in the config: "target", "judge".
    """
    found = classes(config)
    if found is None or len(found) == outputs:
        return found
    if config["classes"] == "auto":
        return None
    chosen = f"{role}.classes={config['classes']}" if isinstance(config["classes"], str) else f"{role}.classes"
    raise UserError(f"{chosen} has {len(found)} names, but {config['name']} has {outputs} outputs: set one name for "
                    f"each output, or {role}.classes=null")  # fmt: skip


def contract(config: Mapping[str, Any]) -> Preprocessing:
    """The input contract of a network's config."""
    return from_config(config["input"])


def features(config: Mapping[str, Any], layers: Any, activated: bool, role: str = "target") -> Features:
    """The network of a config, frozen, read at `layers`, and tried; messages call its settings by its `role`."""
    names = list(map(str, layers)) if isinstance(layers, list | tuple) else [str(layers)]
    read_at = [name.partition("@")[0] for name in names]
    if identity(config) is None:
        print(f"weights: none are named for {config['name']}, it is as it is built")
    return settle(Features(fold(frozen(config), read_at), names, contract(config), activated), role)


def identity(config: Mapping[str, Any]) -> str | None:
    """What tells a network's weights from others: the file's SHA-256, or a library's name for them; None if random."""
    if config.get("weights"):
        return files.sha256(find(config["weights"]))
    args = config.get("args") or {}
    chosen = args.get("weights") or args.get("pretrained")
    return f"{config.get('name') or config['_target_']} {chosen}" if chosen else None
