"""Check a composed config against its settings classes; every run passes through here."""

import inspect
import logging
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

NETWORKS = ("target", "encoder", "comparator", "observer", "classifier", "judge", "start.encoder", "prior.encoder",
            "generator")  # fmt: skip
WHOLE = ("prior", "start", "objective", "ascent.transforms")  # parts whose keywords all stand in the config
FURTHER = "judges."  # whose keys are networks, named by the user
Model = TypeVar("Model", bound=Settings)


def check(composed: Composed, model: type[Model]) -> Model:
    """Check a config and return it as its class, every interpolation resolved; `plain()` gives the plain values.

    Raises UserError, one sentence, for a group set like a value (`target=x`), a missing value, a wrong type, a value
    outside its range or choices, or an unknown key.
    """
    renamed.update(composed.config)
    check_roles(composed)
    check_generator(composed)
    check_missing(OmegaConf.to_container(composed.config, resolve=False))
    values = plain(composed.config)
    checked = validated(model, values)
    for path, node in nodes(values):
        cls = _class(node["_target_"], path)
        arguments(cls, node, f"{path}.", filled=None)
        if path in WHOLE or path.startswith("stimulus."):
            check_given(cls, node, path)
    return checked


def check_given(function: Callable[..., Any], values: Mapping[str, Any], path: str) -> None:
    """UserError for a keyword-only parameter that has neither a value nor a default."""
    for name, parameter in inspect.signature(function).parameters.items():
        needed = parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.default is inspect.Parameter.empty
        if needed and name not in values:
            raise UserError(f"{path}.{name} has no value: set {path}.{name}=…")


def check_roles(composed: Composed) -> None:
    """UserError for a plain value where a member of a group is needed."""
    values: Any = OmegaConf.to_container(composed.config, resolve=False)
    for group in composed.choices:
        name, _, role = group.partition("@")
        role = role or name
        if "/" in role or role == "_global_" or role not in values or group in {"task", "debug"}:
            continue
        value = values[role]
        if not isinstance(value, Mapping) and value is not None:
            raise UserError(f"{role}={value} does not choose a {name}: set {group}={value}")


def check_generator(composed: Composed) -> None:
    """UserError for a member of `generator` that only the other command can use."""
    values: Any = OmegaConf.to_container(composed.config, resolve=False)
    node = values.get("generator") or {}
    if values.get("task") == "generator" and "_target_" in node:
        raise UserError("dgn train cannot train this generator: set generator=small or generator=deepsim, or "
                        "generator.kind=my_pkg.MyG for your own class")  # fmt: skip
    if "task" not in values and "_target_" not in node and node.keys() - {"kind"}:
        raise UserError(f"generator={composed.choices.get('generator')} is for dgn train: leave generator out and set "
                        "bundle=FILE, the trained generator to use")  # fmt: skip


def check_missing(config: Any, path: str = "") -> None:
    """UserError for the first missing value; interpolations are not resolved."""
    for key, value in config.items():
        if value == "???":
            raise UserError(f"{path}{key} has no value: set {path}{key}=…")
        if isinstance(value, Mapping):
            check_missing(value, f"{path}{key}.")


def nodes(config: Mapping[Any, Any], path: str = "") -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """The parts of a config with a `_target_`, by their dotted keys, except networks, which have settings classes."""
    for key, value in config.items():
        name = f"{path}{key}"
        if isinstance(value, Mapping) and name not in NETWORKS and path != FURTHER:
            if "_target_" in value:
                yield name, value
            yield from nodes(value, f"{name}.")


def _class(name: Any, path: str) -> Callable[..., Any]:
    log = logging.getLogger("hydra.utils")  # it prints the whole error, and the sentence below says it
    quiet, log.disabled = log.disabled, True
    try:
        import_module(str(name).partition(".")[0])
        return get_object(str(name))
    except Exception as error:  # importing a module can raise anything
        what = first_line(error).rstrip(":")
        raise UserError(f"cannot import {path}._target_={name} ({what}): check the path of the class") from None
    finally:
        log.disabled = quiet
