"""Compose a config; the only place that calls Hydra for it."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import RLock
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from dgn.base.folders import CONF

ONE_AT_A_TIME = RLock()  # Hydra is global to the process, and the explorer composes in several threads


@dataclass
class Composed:
    """A command's config and the chosen member of every group."""

    config: DictConfig
    choices: dict[str, Any]


def composed(command: str, overrides: Sequence[str] = (), config_dir: Path | str | None = None) -> Composed:
    """The config of conf/`command`.yaml with these overrides, open to new keys and without Hydra's node.

    Inside a command the search path is the command's; elsewhere it is ours and `config_dir`, and the caller's Hydra
    application is restored afterwards.
    """
    if config_dir is None and not GlobalHydra.instance().is_initialized():
        return copy.deepcopy(_ours(command, tuple(overrides)))
    search = [f"hydra.searchpath=[file://{Path(config_dir).resolve()}]"] if config_dir else []
    return _compose(command, [*search, *overrides])


@cache
def _ours(command: str, overrides: tuple[str, ...]) -> Composed:
    return _compose(command, overrides)  # cached: our folder does not change while the process runs


def _compose(command: str, overrides: Sequence[str]) -> Composed:
    with hydra():
        config = compose(command, overrides=list(overrides), return_hydra_config=True)
    choices = dict(config.hydra.runtime.choices)
    OmegaConf.set_struct(config, False)
    config.pop("hydra")
    return Composed(config, choices)


def overrides(words: Sequence[str]) -> list[Override]:
    """Command-line overrides as Hydra parses them."""
    with hydra():
        return OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(list(words))


@contextmanager
def hydra() -> Iterator[None]:
    """Hydra as it runs in this process, or with our folder if it does not run."""
    with ONE_AT_A_TIME, nullcontext() if GlobalHydra.instance().is_initialized() else apart():
        yield


@contextmanager
def apart() -> Iterator[None]:
    """Hydra with our folder only, outside the caller's own Hydra application, if any."""
    with outside(), initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        yield


@contextmanager
def outside() -> Iterator[None]:
    """No Hydra application; the caller's own, if any, is restored afterwards."""
    with ONE_AT_A_TIME:
        application = GlobalHydra.instance().hydra
        GlobalHydra.instance().clear()
        try:
            yield
        finally:
            GlobalHydra.instance().hydra = application
