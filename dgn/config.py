"""From words on a command line to a plain config: what is ours beyond Hydra's own composing."""

import hashlib
import re
import secrets
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from dgn.files import write_text

CONF = Path(__file__).parent / "conf"
ROLES = ("target", "encoder", "comparator", "classifier", "start.encoder")  # of networks


def words(command: str, typed: list[str]) -> list[str]:
    """The command line as Hydra takes it.

    `synthesize.py` without a word runs the demo. `debug=true` names the group member conf/debug/COMMAND.yaml, because
    Hydra takes no true or false as a member's name. A class of one's own, `target._target_=my_pkg.MyNet`, chooses the
    member `own`, so that no key of the default network stays behind; arguments need no plus: `target.args.depth=18`.
    """
    if command == "synthesize" and not typed:
        return ["experiment=demo"]
    debug = {"debug=true": f"debug={command}", "debug=false": "debug=off"}
    return [taken for word in typed for taken in _own(debug.get(word.lower(), word), typed)]


def _own(word: str, typed: Sequence[str]) -> list[str]:
    key, _, value = word.partition("=")
    role, _, last = key.removeprefix("network@").rpartition(".")
    group = role if role == "generator" else f"network@{role}"
    if last == "_target_" and (role in ROLES or role == "generator"):
        chosen = any(other.startswith(f"{group}=") for other in typed)
        return [*([] if chosen else [f"{group}=own"]), f"{role}._target_={value}"]
    if key.partition(".args.")[0] in (*ROLES, "generator") and ".args." in key:
        return [f"++{word}"]
    return [word]


def register_resolvers() -> None:
    """What the YAMLs ask for.

    `${unique:}`: a name no other run has, one a process. `${point:TEXT}`: a sweep point's overrides as a folder.
    `${record:…}`: what torchvision or timm record of a model's input; they are imported when it is read.
    """
    stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    OmegaConf.register_new_resolver("unique", lambda: stamp, replace=True)
    OmegaConf.register_new_resolver("point", point, replace=True)
    OmegaConf.register_new_resolver(
        "record", lambda *what: import_module("dgn.networks.libraries").record(*what), use_cache=False, replace=True
    )


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
