"""When two runs count as the same, and the name of a sweep point's folder."""

import copy
import hashlib
import json
import re
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException


def stamp() -> str:
    """A unique name."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


STAMP = stamp()
FREE = (  # settings that do not change the result: runs that differ only in these count as the same
    *("output", "resume", "title"),
    "base_overrides",  # overrides of all panels; the panels' resolved settings are compared instead
    *("logger", "save_minutes"),
    *("data.workers", "data.memory_gib"),
    *("trainer.accelerator", "trainer.strategy"),
)
DEVICES = ("trainer.devices", "trainer.num_nodes")  # free as well, except in training, where they scale the batch


def register_resolvers() -> None:
    """Register the functions that the YAML files call.

    `${unique:}`: a unique name, one per command. `${point:KEYS}`: the folder of a sweep point.
    `${sweep:}`: the name of the sweep's folder, null in a single run. `${place:SHARD}`: 2 for the shard 2/4.
    `${home:PATH}`: the path with `~` expanded.
    `${record:…}`: a model's preprocessing from torchvision's or timm's metadata; imports the library on access.
    `${trained_input:KEY,DEFAULT}`: the preprocessing stored in a weights file by dgn train, else the default.
    """
    OmegaConf.register_new_resolver("unique", lambda: STAMP, replace=True, use_cache=True)  # workers take it over
    OmegaConf.register_new_resolver("point", point, replace=True)
    OmegaConf.register_new_resolver("sweep", sweep, replace=True)
    OmegaConf.register_new_resolver("home", lambda path: str(Path(str(path)).expanduser()), replace=True)
    OmegaConf.register_new_resolver("place", lambda shard: int(str(shard or 0).partition("/")[0]), replace=True)
    OmegaConf.register_new_resolver("record", _record, use_cache=False, replace=True)
    OmegaConf.register_new_resolver("trained_input", _trained_input, replace=True)


def _record(*what: Any) -> Any:
    from dgn.networks import libraries  # imports torchvision

    return libraries.record(*what)


def _trained_input(key: str, default: Any, _parent_: DictConfig) -> Any:
    """A key of a network's input, see `dgn.networks.weights_file.trained_input`."""
    from dgn.networks.weights_file import trained_input  # a package above this one

    return trained_input(OmegaConf.select(_parent_, "..weights"), key, default)


def point(*swept: str, _root_: DictConfig) -> str:
    """The folder of a sweep point: the values of the swept keys in safe characters, and the point's identity.

    A point that already has a folder in the sweep keeps it, even if its overrides were written differently.
    """
    digest = identity(_root_)
    for folder in Path(_root_.hydra.sweep.dir).glob(f"*{digest}"):
        return folder.name
    values = [word.lstrip("+").replace("=", "-", 1) for word in _root_.hydra.overrides.task
              if word.lstrip("+").partition("=")[0] in swept]  # fmt: skip
    readable = re.sub(r"[^A-Za-z0-9.+@-]+", "_", "+".join(values)).replace("-_", "-").replace("_+", "+")
    readable = readable[:80].strip("_.+-")
    return f"{readable}-{digest}" if readable else digest


def sweep() -> str | None:
    """The name of the running sweep's folder."""
    if not HydraConfig.initialized() or HydraConfig.get().mode is not RunMode.MULTIRUN:
        return None
    return Path(HydraConfig.get().sweep.dir).name


def identity(config: DictConfig) -> str:
    """Ten hexadecimal digits of the resolved config without `FREE` keys: equal digits mean the same run."""
    counting = copy.deepcopy(config)
    with read_write(counting), open_dict(counting):
        for key in ("hydra", "logger"):  # they refer to the folder that is being named
            counting.pop(key, None)
    try:
        values = OmegaConf.to_container(counting, resolve=True)
    except OmegaConfBaseException:  # reported when the point runs
        values = OmegaConf.to_container(counting, resolve=False)
    text = json.dumps(counted(values), sort_keys=True)  # type: ignore[arg-type]
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def counted(config: Mapping[Any, Any]) -> dict[str, Any]:
    """A plain config's values by dotted key, without `FREE` keys."""
    free = FREE if "task" in config else (*FREE, *DEVICES)

    def of(node: Mapping[Any, Any], path: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.items():
            name = f"{path}{key}"
            if name not in free:
                values |= of(value, f"{name}.") if isinstance(value, Mapping) and value else {name: value}
        return values

    return of(config, "")
