"""Keys and members renamed since 0.1: the old names work for one more version and print the new name."""

import sys
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

MEMBERS = {"own": "custom"}  # of network and generator
TOP = {
    "activated": "post_activation",
    "inverts": "bundle_filter",
    "typed": "base_overrides",
    "measure": "eval_layers",
    "unreadable": "max_unreadable",  # of `dgn data prepare`
}
NETWORK = {"measure": "eval_layers", "suits": "default_bundle", "radius": "max_mahalanobis"}
GROUPS = {
    "ascent": {"moves": "transform_strength", "whole": "full_view_fraction"},
    "prior": {"radius": "max_mahalanobis"},
    "data": {"unreadable": "max_unreadable"},
    "module": {"holds": "export_weights"},
    **dict.fromkeys(("target", "encoder", "comparator", "observer", "classifier", "judge"), NETWORK),
}
_noted: set[str] = set()


def key(name: str, command: str = "") -> str:
    """The present name of a dotted key; prints a note for an old one. `dgn measure` never had the key `measure`."""
    first, point, rest = name.partition(".")
    new = first if first == command else TOP.get(first, first)
    if point and first in GROUPS:
        last, *others = rest.split(".")
        rest = ".".join([GROUPS[first].get(last, last), *others])
    new = f"{new}{point}{rest}"
    _note(name, new)
    return new


def member(group: str, name: str) -> str:
    """The present name of a group's member."""
    new = MEMBERS.get(name, name) if group.partition("@")[0] in {"network", "generator"} else name
    _note(f"{group}={name}", f"{group}={new}")
    return new


def update(config: DictConfig | dict[str, Any]) -> None:
    """Rename the old keys of a config, which come from a user's YAML or an earlier run."""
    _update(config, TOP, "")
    for group, names in GROUPS.items():
        node = config.get(group)
        if isinstance(node, Mapping | DictConfig):
            _update(node, names, f"{group}.")


def _update(node: Any, names: Mapping[str, str], path: str) -> None:
    for old, new in names.items():
        if old in node:
            node[new] = node.pop(old)
            _note(f"{path}{old}", f"{path}{new}")


def _note(old: str, new: str) -> None:
    if old != new and old not in _noted:
        _noted.add(old)
        print(f"note: {old} was renamed: set {new}; the next version removes the old name", file=sys.stderr)
