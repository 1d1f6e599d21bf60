"""Composing a config: the one place that asks Hydra for it."""

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

ONE_AT_A_TIME = RLock()  # Hydra is one in a process, and visitors of the explorer compose in threads of their own


@dataclass
class Composed:
    """A command's config and the member that was chosen of every group."""

    config: DictConfig
    choices: dict[str, Any]


def composed(command: str, overrides: Sequence[str] = (), config_dir: Path | str | None = None) -> Composed:
    """The config of conf/`command`.yaml with these overrides, open to new keys and without Hydra's own part.

    Inside a command it is composed with the folders that the command was given; elsewhere with ours and `config_dir`,
    and whatever Hydra the caller runs is as it was afterwards.
    """
    if config_dir is None and not GlobalHydra.instance().is_initialized():
        return copy.deepcopy(_ours(command, tuple(overrides)))
    search = [f"hydra.searchpath=[file://{Path(config_dir).resolve()}]"] if config_dir else []
    return _compose(command, [*search, *overrides])


@cache
def _ours(command: str, overrides: tuple[str, ...]) -> Composed:
    return _compose(command, overrides)  # our folder does not change while the process runs


def _compose(command: str, overrides: Sequence[str]) -> Composed:
    with hydra():
        config = compose(command, overrides=list(overrides), return_hydra_config=True)
    choices = dict(config.hydra.runtime.choices)
    OmegaConf.set_struct(config, False)
    config.pop("hydra")
    return Composed(config, choices)


def overrides(words: Sequence[str]) -> list[Override]:
    """Words of the command line as Hydra reads them."""
    with hydra():
        return OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(list(words))


@contextmanager
def hydra() -> Iterator[None]:
    """Hydra as it runs in this process, or else with our folder."""
    with ONE_AT_A_TIME, nullcontext() if GlobalHydra.instance().is_initialized() else apart():
        yield


@contextmanager
def apart() -> Iterator[None]:
    """Hydra with our folder alone, whatever application of Hydra's the caller runs in."""
    with outside(), initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        yield


@contextmanager
def outside() -> Iterator[None]:
    """No application of Hydra's: the one in which the caller may run is put back afterwards."""
    with ONE_AT_A_TIME:
        application = GlobalHydra.instance().hydra
        GlobalHydra.instance().clear()
        try:
            yield
        finally:
            GlobalHydra.instance().hydra = application
