"""Where a key that does not exist in one place exists: nested, in another member of its group, in the other command."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf

from dgn.base.folders import file, members
from dgn.settings.compose import composed

COMMANDS = ("synthesize", "train")
MOST = 3  # paths that a sentence names
ELSEWHERE_CALLED = {"device": ("trainer", "gpu")}  # what other libraries call a choice that has another key here


def elsewhere(key: str, command: str, config: Mapping[Any, Any]) -> list[str]:
    """The dotted keys of a command's config with the same last part as `key`: those in the same part first."""
    parent, _, last = key.rpartition(".")
    paths = [path for path in _paths(config, "") if path.rpartition(".")[2] == last and path != key]
    return sorted(paths, key=lambda path: (not path.startswith(f"{parent}."), path.count("."), path))[:MOST]


def member_with(group: str, key: str) -> str:
    """The first member of a group whose YAML has `key`; "" for none."""
    listed = ((name, file(f"{group}/{name}")) for name in members(group))
    return next((name for name, path in listed if path and has(OmegaConf.load(path), [key])), "")


def other_command(key: str, command: str) -> str:
    """The command other than this one that has `key`; "" for none."""
    others = [name for name in COMMANDS if name != command and command in COMMANDS]
    return next((name for name in others if has(composed(name).config, key.split("."))), "")


def has(node: Any, parts: Sequence[str]) -> bool:
    """Whether nested mappings have these keys, one inside the other."""
    if not parts:
        return True
    plain = OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node
    return isinstance(plain, Mapping) and parts[0] in plain and has(plain[parts[0]], parts[1:])


def _paths(node: Mapping[Any, Any], prefix: str) -> Iterator[str]:
    for key, value in node.items():
        yield f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _paths(value, f"{prefix}{key}.")
