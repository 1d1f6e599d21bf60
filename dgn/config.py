"""From words on a command line to a plain config: what is ours beyond Hydra's own composing."""

import copy
import hashlib
import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from dgn.base.errors import UserError
from dgn.base.files import write_text

CONF = Path(__file__).parent / "conf"
ROLES = ("target", "encoder", "comparator", "classifier", "judge", "start.encoder")  # of networks
STAMP = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
FREE = (  # what may differ between two runs that are the same run: these do not decide what comes out
    *("output", "resume", "title"),  # where it goes, whether it goes on, what the page is called
    "typed",  # words of which the panels are made: the settings that they make are compared
    *("logger", "save_minutes"),  # who watches, how often it is kept
    *("data.workers", "data.memory_gib"),  # how images are read
    *("trainer.accelerator", "trainer.strategy"),  # on what it is computed
)
DEVICES = ("trainer.devices", "trainer.num_nodes")  # free as well, but not in training, where they scale the batch


def words(command: str, typed: list[str]) -> list[str]:
    """The command line as Hydra takes it.

    `debug=true` names the group member conf/debug/COMMAND.yaml, because Hydra takes no true or false as a member's
    name. A class of one's own, `target._target_=my_pkg.MyNet`, chooses the member `own`, so that no key of the default
    network stays behind; arguments need no plus: `target.args.depth=18`. A layer that is called by a number is a word.
    A sweep's folders are told by which keys are swept. UserError for a group of which nothing is chosen.
    """
    debug = {"debug=true": f"debug={command}", "debug=false": "debug=off"}
    typed = [taken for word in typed for taken in _own(debug.get(word.lower(), word), typed)]
    if "-m" in typed or "--multirun" in typed:
        typed.append(f"hydra.sweep.subdir=${{point:{','.join(_swept(command, typed))}}}")
    return typed


def _own(word: str, typed: Sequence[str]) -> list[str]:
    key, _, value = word.partition("=")
    if value == "null" and (CONF / key.partition("@")[0]).is_dir():
        raise UserError(f"{word} chooses nothing: leave it away for the default, or type {key}=NAME")
    role, _, last = key.removeprefix("network@").rpartition(".")
    group = role if role == "generator" else f"network@{role}"
    if last == "_target_" and (role in ROLES or role == "generator"):
        chosen = any(other.startswith(f"{group}=") for other in typed)
        return [*([] if chosen else [f"{group}=own"]), f"{role}._target_={value}"]
    if last == "layer" and role in ROLES and "(" not in value:  # a layer may be called 1.10
        return [f"{key}=" + re.sub(r"(?<![^, ])\d+(\.\d+)?(?![^, ])", r"'\g<0>'", value)]
    if key.partition(".args.")[0] in (*ROLES, "generator") and ".args." in key:
        return [f"++{word}"]
    return [word]


def _swept(command: str, typed: Sequence[str]) -> list[str]:
    """The keys that a sweep's words give several values; UserError for one that makes no difference to a run."""
    try:
        parsed = overrides([word for word in typed if not word.startswith("-")])
    except HydraException:  # Hydra says the same in its turn
        return []
    keys = [override.get_key_element().lstrip("+") for override in parsed if override.is_sweep_override()]
    for key in keys:
        if key in FREE or (command == "synthesize" and key in DEVICES):
            raise UserError(f"{key} makes no other run, so its points would be one: type -m with another key")
    return keys


def overrides(words: Sequence[str]) -> list[Override]:
    """Words of the command line in Hydra's own reading."""
    with hydra():
        return OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(list(words))


def hydra() -> AbstractContextManager[None]:
    """Hydra as it runs, with the folders that it was given, or else with ours alone."""
    if GlobalHydra.instance().is_initialized():
        return nullcontext()
    return initialize_config_dir(version_base="1.3", config_dir=str(CONF))


def register_resolvers() -> None:
    """What a config may compute.

    `${unique:}`: a name no other run has, one a command. `${point:KEYS}`: the folder of the sweep point.
    `${sweep:}`: the sweep's folder by its name, null in a single run. `${place:SHARD}`: 2 for the shard 2/4.
    `${record:…}`: what torchvision or timm record of a model's input; they are imported when it is read.
    """
    OmegaConf.register_new_resolver("unique", lambda: STAMP, replace=True, use_cache=True)  # workers take it over
    OmegaConf.register_new_resolver("point", point, replace=True)
    OmegaConf.register_new_resolver("sweep", sweep, replace=True)
    OmegaConf.register_new_resolver("place", lambda shard: int(str(shard or 0).partition("/")[0]), replace=True)
    OmegaConf.register_new_resolver(
        "record", lambda *what: import_module("dgn.networks.libraries").record(*what), use_cache=False, replace=True
    )


def point(*swept: str, _root_: DictConfig) -> str:
    """The folder of a sweep point: the values of the swept keys, readable and safe to type, and its identity.

    A point that has a folder in the sweep already keeps it, however its words were typed then.
    """
    digest = identity(_root_)
    for there in Path(_root_.hydra.sweep.dir).glob(f"*{digest}"):
        return there.name
    values = [word.lstrip("+").replace("=", "-", 1) for word in _root_.hydra.overrides.task
              if word.lstrip("+").partition("=")[0] in swept]  # fmt: skip
    readable = re.sub(r"[^A-Za-z0-9.+@-]+", "_", "+".join(values)).replace("-_", "-").replace("_+", "+")
    readable = readable[:80].strip("_.+-")
    return f"{readable}-{digest}" if readable else digest


def sweep() -> str | None:
    """The name of the folder of the sweep that runs now."""
    if not HydraConfig.initialized() or HydraConfig.get().mode is not RunMode.MULTIRUN:
        return None
    return Path(HydraConfig.get().sweep.dir).name


def identity(config: DictConfig) -> str:
    """Ten hexadecimal digits of the resolved config without what is free: two runs with the same make the same."""
    own = copy.deepcopy(config)
    with read_write(own), open_dict(own):
        for key in ("hydra", "logger"):  # they speak of the folder that is looked for
            own.pop(key, None)
    try:
        found = OmegaConf.to_container(own, resolve=True)
    except OmegaConfBaseException:  # the point will say so when it runs
        found = OmegaConf.to_container(own, resolve=False)
    text = json.dumps(counted(found), sort_keys=True)  # type: ignore[arg-type]
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def counted(config: Mapping[Any, Any]) -> dict[str, Any]:
    """A plain config's values by their dotted keys, without what is free."""
    free = FREE if "task" in config else (*FREE, *DEVICES)

    def of(node: Mapping[Any, Any], path: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.items():
            name = f"{path}{key}"
            if name not in free:
                found |= of(value, f"{name}.") if isinstance(value, Mapping) and value else {name: value}
        return found

    return of(config, "")


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


register_resolvers()  # on import: a launcher's workers compose without having passed through `main`
