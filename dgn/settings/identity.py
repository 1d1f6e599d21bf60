"""When two runs are the same run, and what a sweep point's folder is called."""

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
    """A name that no other run has."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


STAMP = stamp()
FREE = (  # settings that do not change the result, so that two runs may differ in them and still be the same run
    *("output", "resume", "title"),
    "base_overrides",  # words from which the panels are made; the settings that they make are compared
    *("logger", "save_minutes"),
    *("data.workers", "data.memory_gib"),
    *("trainer.accelerator", "trainer.strategy"),
)
DEVICES = ("trainer.devices", "trainer.num_nodes")  # free as well, but not in training, where they scale the batch


def register_resolvers() -> None:
    """Functions that the YAML files call.

    `${unique:}`: a name that no other run has, one per command. `${point:KEYS}`: the folder of a sweep point.
    `${sweep:}`: the name of the sweep's folder, null in a single run. `${place:SHARD}`: 2 for the shard 2/4.
    `${home:PATH}`: the path, `~` replaced by the user's own folder.
    `${record:…}`: the preprocessing that torchvision or timm record of a model; they are imported when it is read.
    `${trained_input:KEY,DEFAULT}`: with what the network of the weights file was trained, if train.py wrote the file.
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
    """A key of a network's input: see `dgn.networks.weights_file.trained_input`."""
    from dgn.networks.weights_file import trained_input  # a room above this one

    return trained_input(OmegaConf.select(_parent_, "..weights"), key, default)


def point(*swept: str, _root_: DictConfig) -> str:
    """The folder of a sweep point: the values of the swept keys, readable and safe to type, and its identity.

    A point that has a folder in the sweep already keeps it, however its words were typed then.
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
    """The name of the folder of the sweep that runs now."""
    if not HydraConfig.initialized() or HydraConfig.get().mode is not RunMode.MULTIRUN:
        return None
    return Path(HydraConfig.get().sweep.dir).name


def identity(config: DictConfig) -> str:
    """Ten hexadecimal digits of the resolved config without what is free: equal digits mean the same run."""
    counting = copy.deepcopy(config)
    with read_write(counting), open_dict(counting):
        for key in ("hydra", "logger"):  # they speak of the folder that is looked for
            counting.pop(key, None)
    try:
        values = OmegaConf.to_container(counting, resolve=True)
    except OmegaConfBaseException:  # the point will say so when it runs
        values = OmegaConf.to_container(counting, resolve=False)
    text = json.dumps(counted(values), sort_keys=True)  # type: ignore[arg-type]
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def counted(config: Mapping[Any, Any]) -> dict[str, Any]:
    """A plain config's values by their dotted keys, without what is free."""
    free = FREE if "task" in config else (*FREE, *DEVICES)

    def of(node: Mapping[Any, Any], path: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.items():
            name = f"{path}{key}"
            if name not in free:
                values |= of(value, f"{name}.") if isinstance(value, Mapping) and value else {name: value}
        return values

    return of(config, "")
