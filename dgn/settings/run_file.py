"""A run's `config.yaml`: the resolved config, in a form that Hydra can load again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from dgn.base.errors import UserError
from dgn.base.files import write_text
from dgn.settings import renamed


def plain(config: DictConfig | ListConfig) -> dict[str, Any]:
    """The config as dictionaries and lists with every interpolation resolved."""
    values = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert isinstance(values, dict)
    return values  # type: ignore[return-value]


def write(config: Mapping[str, Any], folder: Path, command: str) -> None:
    """Write a run's `config.yaml`; its first line is the command that repeats the run."""
    again = f"# again: dgn {command} --config-dir=THIS_FOLDER --config-name=config output=ANOTHER_FOLDER\n"
    text = OmegaConf.to_yaml(OmegaConf.create(dict(config)))
    write_text(folder / "config.yaml", f"{again}defaults: [run, _self_]\n{text}")


def read(folder: Path) -> dict[str, Any] | None:
    """The config that `write` wrote, or None if there is no file."""
    path = folder / "config.yaml"
    if not path.exists():
        return None
    try:
        values = plain(OmegaConf.create(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, YAMLError, OmegaConfBaseException, AssertionError) as error:
        raise UserError(
            f"{path} is not a run's config ({' '.join(str(error).split())}): set another output=DIR"
        ) from None
    values.pop("defaults", None)
    renamed.update(values)
    return values
