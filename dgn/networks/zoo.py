"""Build a network from its settings (ours, torchvision's, timm's or your own class), with weights and preprocessing."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, reduce
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from hydra.errors import InstantiationException
from torch import nn
from torch.nn.parameter import is_lazy

from dgn.base import files
from dgn.base.errors import UserError, first_line, nearest
from dgn.base.imports import include_current_folder
from dgn.base.instantiate import instantiate
from dgn.networks import class_names
from dgn.networks.ensemble import Member, shared
from dgn.networks.features import Features, lazy, leave_inference_mode
from dgn.networks.features import find as find_layer
from dgn.networks.fuse_bn import fold
from dgn.networks.preprocessing import Preprocessing
from dgn.networks.settings import ModuleSettings, NetworkSettings
from dgn.networks.validate import initialise, settle
from dgn.networks.weights import load
from dgn.networks.weights_file import carried_classes, find


def module(settings: ModuleSettings, role: str = "target") -> nn.Module:
    """Build `_target_` with `args` and load `weights` into it; with `weights` null it keeps its random start.

    Messages call its settings by its `role`.

    A file that dgn train wrote knows how many classes its network has: `args.classes` need not be set for it.
    """
    if settings.weights:
        find(settings.weights, f"{role}.weights")
    args = dict(settings.args)
    if "classes" not in args and (names := carried_classes(settings.weights)) and _takes_classes(settings.builder):
        args["classes"] = len(names)
    built = {}
    if isinstance(settings, NetworkSettings) and settings.members:
        built["members"] = members(settings, role)
    network = build(settings.builder, args, built)
    if lazy(network) and isinstance(settings, NetworkSettings):
        initialise(network, contract(settings), role)
    if settings.weights:
        load(network, find(settings.weights), settings.by_order, settings.strict, settings.prefix)
    return network


def members(settings: NetworkSettings, role: str = "target") -> dict[str, Member]:
    """The networks that a network is made of, by name, frozen."""
    found = {}
    for name, member in settings.members.items():
        found[name] = Member(frozen(member, f"{role}.members.{name}"), contract(member), classes(member))
        _warn_if_random(member)
    return found


def _takes_classes(target: str) -> bool:
    try:
        return "classes" in inspect.signature(_located(target)).parameters
    except (TypeError, ValueError):  # built in C
        return False


def frozen(settings: ModuleSettings, role: str = "target") -> nn.Module:
    """`module(settings, role)` for what is not trained: without weights it is the same network in every process."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return module(settings, role)


def build(target: str, args: Mapping[str, Any], built: Mapping[str, Any] | None = None) -> nn.Module:
    """Call the importable class or function `target` with `args`; modules in the current folder are importable.

    `built` are further arguments that are objects already.
    """
    network = _called(_located(target), target, _arguments(target, args) | dict(built or {}))
    if not isinstance(network, nn.Module):
        raise UserError(f"{target} returns a {type(network).__name__}, not a network: set _target_ to a class or "
                        "function that returns a torch.nn.Module")  # fmt: skip
    _unexpand(network)
    leave_inference_mode(network)
    return network


def _unexpand(network: nn.Module) -> None:
    """Give expanded buffers, such as a mask, memory of their own: nothing can be loaded into them otherwise."""
    for module in network.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if not is_lazy(buffer) and buffer.layout == torch.strided and 0 in buffer.stride():
                setattr(module, name, buffer.clone(memory_format=torch.contiguous_format))


def _located(target: str) -> Callable:
    """The class, function or method at a dotted path; modules in the current folder count."""
    include_current_folder()
    try:
        builder = _imported(str(target).split("."))
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        advice = "check _target_, and that its module is installed or in the current folder"
        if isinstance(error, AttributeError) and error.name and error.obj is not None:
            advice = nearest(error.name, (name for name in dir(error.obj) if not name.startswith("_")))
        raise UserError(f"cannot import the network {target} ({first_line(error)}): {advice}") from None
    if isinstance(builder, ModuleType):
        inside = [name for name, value in vars(builder).items() if _is_network(value) and value.__module__ == target]
        raise UserError(f"{target} is a module: set a class or function in it, such as "
                        f"_target_={target}.{inside[0] if inside else 'MyNet'}")  # fmt: skip
    if not callable(builder):
        raise UserError(f"{target} is a {type(builder).__name__}: set _target_ to a class or function that returns a "
                        "network")  # fmt: skip
    return builder


def _imported(parts: Sequence[str]) -> Any:
    """The longest module that the path begins with, then attributes: `pkg.module.Class.method`."""
    for count in (*range(len(parts) - 1, 0, -1), len(parts)):
        name = ".".join(parts[:count])
        try:
            return reduce(getattr, parts[count:], import_module(name))
        except ModuleNotFoundError as error:
            if not f"{name}.".startswith(f"{error.name}."):  # a module that the user's own wants
                raise
            missing = error
    raise missing


def _is_network(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, nn.Module)


def _arguments(target: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with every `_target_` in them built as Hydra does."""
    try:
        return instantiate(dict(args), _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, TypeError) and re.search("unexpected keyword|required .*argument", str(cause)):
            raise UserError(f"cannot build {target} with its args ({first_line(cause)})") from None
        if cause is not None and not isinstance(cause, ImportError):
            raise
        raise UserError(
            f"cannot build {target} with its args ({first_line(error).partition(', set env')[0]})"
        ) from None


def _called(builder: Callable, target: str, args: dict[str, Any]) -> Any:
    """`builder(**args)`; arguments that it does not take, or lacks, are the user's mistake and not a bug of its own."""
    try:
        inspect.signature(builder).bind(**args)
    except (TypeError, ValueError) as error:
        raise UserError(f"cannot build {target} with args={args} ({error})") from None
    try:
        return builder(**args)
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        raise UserError(f"cannot build {target} with args={args} ({error})") from None


def classes(settings: NetworkSettings) -> list[str] | None:
    """The names of the network's outputs, in order; None if it has none.

    `classes` is "imagenet", "auto" (ImageNet's names, if there are 1000 outputs), a text file with one name a line, a
    list, or null (or "weights"): those that the weights file carries, if it does. WordNet numbers become words. Raises
    UserError for a file that is not one.
    """
    chosen = settings.classes
    if chosen is None and settings.members:
        return shared([classes(member) for member in settings.members.values()]) or None
    if chosen is None or chosen == "weights":
        carried = carried_classes(settings.weights)
        return class_names.readable(carried) if carried else None
    if isinstance(chosen, list):
        return class_names.readable(class_names.complete(list(map(str, chosen)), "classes"))
    if chosen in {"imagenet", "auto"}:
        return class_names.imagenet()
    path = Path(chosen).expanduser()
    if not path.is_file():
        raise UserError(f"there is no file of class names {path}: set classes to an existing file, imagenet or null")
    return class_names.readable(class_names.from_file(path))


def classes_of(settings: NetworkSettings, outputs: int, role: str) -> list[str] | None:
    """`classes(settings)` for a network with so many outputs. Raises UserError if there are more names or fewer.

    `role` is the network's key in the config: "target", "judge".
    """
    names = classes(settings)
    if names is None or len(names) == outputs:
        return names
    if settings.classes in (None, "auto"):
        return None
    chosen = f"{role}.classes={settings.classes}" if isinstance(settings.classes, str) else f"{role}.classes"
    raise UserError(f"{chosen} has {len(names)} names, but {settings.name} has {outputs} outputs: set one name per "
                    f"output, or {role}.classes=null")  # fmt: skip


def contract(settings: NetworkSettings) -> Preprocessing:
    """How images become the network's input."""
    return Preprocessing.of(settings.input)


def features(settings: NetworkSettings, layers: Sequence[str] | str, activated: bool, role: str = "target") -> Features:
    """The network, frozen, read at `layers`, and tried; messages call its settings by its `role`."""
    names = [layers] if isinstance(layers, str) else list(layers)
    read_at = [name.partition("@")[0] for name in names]
    network = frozen(settings, role)
    if role != "target" and settings.layer in layers:
        located(network, settings, role)
    if not settings.members:
        _warn_if_random(settings)
    return settle(Features(fold(network, read_at), names, contract(settings), activated), role)


def _warn_if_random(settings: NetworkSettings) -> None:
    if not settings.weights and not _library_weights(settings):
        print(f"warning: {settings.name} has no weights file; its weights are random unless its class loads them")


def located(network: nn.Module, settings: NetworkSettings, role: str) -> None:
    """UserError if the network in this role has no layer of the name that its settings say."""
    try:
        find_layer(network, str(settings.layer).partition("@")[0])
    except UserError as error:
        own = "; dgn train takes encoder.layer as typed, not from the network's file" if role == "encoder" else ""
        raise UserError(f"{role}.layer={settings.layer} cannot be read: {error}{own}") from None


def identity(settings: ModuleSettings) -> str | None:
    """The identity of a network's weights: the file's SHA-256, or the library's name for them; None if random.

    That of a network made of others is theirs together.
    """
    if isinstance(settings, NetworkSettings) and settings.members:
        parts = {name: identity(member) for name, member in settings.members.items()}
        return None if None in parts.values() else " ".join(f"{name} {part}" for name, part in parts.items())
    if settings.weights:
        path = find(settings.weights)
        status = path.stat()
        return _sha256(path.resolve(), status.st_mtime_ns, status.st_size)
    chosen = _library_weights(settings)
    name = settings.name if isinstance(settings, NetworkSettings) else settings.builder
    return f"{name} {chosen}" if chosen else None


def _library_weights(settings: ModuleSettings) -> Any:
    """torchvision's or timm's name for the weights that it is asked for."""
    return settings.args.get("weights") or settings.args.get("pretrained")


@cache
def _sha256(path: Path, modified: int, size: int) -> str:
    """A file is read once as long as its time and size stay."""
    return files.sha256(path)
