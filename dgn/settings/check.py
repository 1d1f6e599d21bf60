"""A composed config against the classes that say what it may hold: the door through which every run goes."""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, TypeVar

from hydra.utils import get_object
from omegaconf import OmegaConf

from dgn.base.errors import UserError, first_line
from dgn.base.typed import Settings, arguments, validated
from dgn.settings import renamed
from dgn.settings.compose import Composed
from dgn.settings.run_file import plain

NETWORKS = ("target", "encoder", "comparator", "classifier", "judge", "start.encoder", "generator")
Model = TypeVar("Model", bound=Settings)


def check(composed: Composed, model: type[Model]) -> Model:
    """The config as an instance of its class, every interpolation resolved; `plain()` of it is the plain config.

    Raises UserError, one sentence, for a role that is a bare word (`target=x`), a value that is missing, a value of
    another type, out of its range or none of its choices, and a key that is none.
    """
    renamed.update(composed.config)
    check_roles(composed)
    check_generator(composed)
    check_missing(OmegaConf.to_container(composed.config, resolve=False))
    values = plain(composed.config)
    checked = validated(model, values)
    for path, node in nodes(values):
        arguments(_class(node["_target_"], path), node, f"{path}.", filled=None)
    return checked


def check_roles(composed: Composed) -> None:
    """UserError for a part that is a bare word where a member of a group was meant."""
    values: Any = OmegaConf.to_container(composed.config, resolve=False)
    for group in composed.choices:
        name, _, role = group.partition("@")
        role = role or name
        if "/" in role or role == "_global_" or role not in values or group in {"task", "debug"}:
            continue
        value = values[role]
        if not isinstance(value, Mapping) and value is not None:
            raise UserError(f"{role}={value} is not how a {name} is chosen: set {group}={value}")


def check_generator(composed: Composed) -> None:
    """UserError for a member of `generator` for which only the other command has a use."""
    values: Any = OmegaConf.to_container(composed.config, resolve=False)
    node = values.get("generator") or {}
    if values.get("task") == "generator" and "_target_" in node:
        raise UserError("train.py trains a generator of dgn, or a class of yours that is named by its kind: set "
                        "generator=small, generator=deepsim or a YAML of your own")  # fmt: skip
    if "task" not in values and "_target_" not in node and node.keys() - {"kind"}:
        raise UserError(f"generator={composed.choices.get('generator')} is for training, and pictures come from the G "
                        "in a bundle: leave generator out, and set bundle=FILE")  # fmt: skip


def check_missing(config: Any, path: str = "") -> None:
    """UserError for the first value that is missing; nothing is looked up for it."""
    for key, value in config.items():
        if value == "???":
            raise UserError(f"{path}{key} has no value: set {path}{key}=…")
        if isinstance(value, Mapping):
            check_missing(value, f"{path}{key}.")


def nodes(config: Mapping[Any, Any], path: str = "") -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """The parts of a config that name a class, by their dotted keys; networks have settings of their own."""
    for key, value in config.items():
        name = f"{path}{key}"
        if isinstance(value, Mapping) and name not in NETWORKS:
            if "_target_" in value:
                yield name, value
            yield from nodes(value, f"{name}.")


def _class(name: Any, path: str) -> Callable[..., Any]:
    try:
        import_module(str(name).partition(".")[0])
        return get_object(str(name))
    except Exception as error:  # whatever the module does when it is imported
        raise UserError(f"{path}._target_={name} cannot be imported ({first_line(error)})") from None
