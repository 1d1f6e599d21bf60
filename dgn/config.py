"""From words on a command line to a plain config: what is ours beyond Hydra's own composing."""

import hashlib
import re
import secrets
import time
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from dgn.files import write_text

CONF = Path(__file__).parent / "conf"


def words(command: str, typed: list[str]) -> list[str]:
    """The command line as Hydra takes it.

    `synthesize.py` without a word runs the demo. `debug=true` names the group member conf/debug/COMMAND.yaml, because
    Hydra takes no true or false as a member's name.
    """
    if command == "synthesize" and not typed:
        return ["experiment=demo"]
    debug = {"debug=true": f"debug={command}", "debug=false": "debug=off"}
    return [debug.get(word.lower(), word) for word in typed]


def register_resolvers() -> None:
    """`${unique:}`: a name no other run has, one a process. `${point:TEXT}`: a sweep point's overrides as a folder."""
    stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    OmegaConf.register_new_resolver("unique", lambda: stamp, replace=True)
    OmegaConf.register_new_resolver("point", point, replace=True)


def point(overrides: str) -> str:
    """A sweep point's overrides as a folder's name: readable, safe on any file system, at most 90 characters."""
    digest = hashlib.sha256(overrides.encode()).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9=._+-]+", "_", overrides)[:80].strip("_.")
    return f"{readable}-{digest}" if readable else digest


def plain(config: DictConfig | ListConfig) -> dict[str, Any]:
    """The config as dictionaries and lists, every interpolation resolved."""
    found = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert isinstance(found, dict)
    return found  # type: ignore[return-value]


def write(config: DictConfig | dict[str, Any], folder: Path, command: str) -> None:
    """Write a run's `config.yaml`, resolved, in a form that Hydra takes again."""
    again = f"# again: python {command}.py --config-dir=THIS_FOLDER --config-name=config output=ANOTHER_FOLDER\n"
    text = OmegaConf.to_yaml(OmegaConf.create(config), resolve=True)
    write_text(folder / "config.yaml", f"{again}defaults: [run, _self_]\n{text}")


def read(folder: Path) -> dict[str, Any] | None:
    """What `write` wrote, or None where there is none."""
    path = folder / "config.yaml"
    if not path.exists():
        return None
    found = plain(OmegaConf.create(path.read_text(encoding="utf-8")))
    found.pop("defaults", None)
    return found
