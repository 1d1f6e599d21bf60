"""Keys and members that had another name in 0.1: they work for one more version and say the new name."""

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
    **dict.fromkeys(("target", "encoder", "comparator", "classifier", "judge"), NETWORK),
}
_noted: set[str] = set()


def key(name: str) -> str:
    """A dotted key by its present name; an old one is noted on stderr."""
    first, point, rest = name.partition(".")
    new = TOP.get(first, first)
    if point and first in GROUPS:
        last, *others = rest.split(".")
        rest = ".".join([GROUPS[first].get(last, last), *others])
    new = f"{new}{point}{rest}"
    _note(name, new)
    return new


def member(group: str, name: str) -> str:
    """A group's member by its present name."""
    new = MEMBERS.get(name, name) if group.partition("@")[0] in {"network", "generator"} else name
    _note(f"{group}={name}", f"{group}={new}")
    return new


def update(config: DictConfig | dict[str, Any]) -> None:
    """Give a config's old keys, which a YAML of the user's or an earlier run's config has, their present names."""
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
        print(f"note: {old} is now called {new}; the old name goes in the next version", file=sys.stderr)
