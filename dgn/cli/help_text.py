"""`dgn synthesize --help`: examples, groups with their members, and every key with its value and meaning."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from dgn import settings
from dgn.base.folders import file, members
from dgn.settings import renamed
from dgn.settings.words import split

HELP = ("-h", "--help")
COLUMN = 44  # where the meaning of a key begins
GUIDE = """KEY=VALUE sets a key. GROUP=MEMBER chooses a member of a group; its keys then appear below.
-m KEY=A,B runs a sweep. --config-dir DIR adds your own YAML files. --cfg job prints the config and stops.
debug=true runs everything on tiny sizes, in seconds."""


def asked(typed: Sequence[str]) -> bool:
    """Whether help is requested."""
    return any(word in HELP for word in typed)


def text(command: str, typed: Sequence[str]) -> str:
    """The help of `synthesize` or `train` for the members that the other arguments choose."""
    words = settings.words(command, [word for word in typed if word not in HELP])
    options, chosen = split(words)
    composed = settings.composed(command, chosen, options.config_dir)
    values: Any = OmegaConf.to_container(composed.config, resolve=False)
    folders = [Path(options.config_dir)] if options.config_dir else []
    notes = comments(command, folders, "")
    for group, member in composed.choices.items():
        notes |= comments(
            f"{group.partition('@')[0]}/{member}", folders, group.rpartition("@")[2].replace("/", ".") + "."
        )
    header = OmegaConf.load(settings.CONF / f"{command}.yaml").hydra.help.header.strip()
    groups: dict[str, list[str]] = {}  # the words that choose a member, by group
    for choice in composed.choices:
        group, _, role = choice.partition("@")
        if not group.startswith("hydra/") and group != "debug":
            groups.setdefault(group, []).insert(0, group if role in {"", group} else choice)  # the first role first
    listed = [f"{', '.join(keys)}: {', '.join(_shown(group, command, folders))}" for group, keys in groups.items()]
    keys = "\n".join(lines(values, notes, ""))
    return f"{header}\n\n{GUIDE}\n\nGroups and members:\n" + "\n".join(listed) + f"\n\nKeys:\n{keys}"


def _shown(group: str, command: str, more: Sequence[Path]) -> list[str]:
    """The members of a group that this command can use, by their present names."""
    old = renamed.MEMBERS if group in {"network", "generator"} else {}
    names = [name for name in members(group, *more) if name not in old]
    if group == "experiment":
        other = "train" if command == "synthesize" else "synthesize"
        return [name for name in names if f"dgn {other}" not in _comment(name)]
    if group == "generator":
        return [name for name in names if _trained(name, more) == (command == "train")]
    return names


def _comment(experiment: str) -> str:
    """The text of an experiment of ours, whose comment names its command; "" for one of the user's own."""
    path = file(f"experiment/{experiment}")
    return path.read_text(encoding="utf-8") if path else ""


def _trained(generator: str, more: Sequence[Path]) -> bool:
    """Whether a member describes a G to train, rather than one that exists: a bundle's, or a decoder."""
    path = file(f"generator/{generator}", *more)
    content: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False) if path else {}
    return generator != "bundle" and "_target_" not in content and "custom" not in content.get("defaults", [])


def comments(name: str, folders: Sequence[Path], prefix: str) -> dict[str, str]:
    """The comment on each dotted key, from a YAML file and the files in its defaults list."""
    path = file(name, *folders)
    if path is None:
        return {}
    source = path.read_text(encoding="utf-8")
    if "@package _global_" in source:
        prefix = ""
    notes: dict[str, str] = {}
    for base in yaml.safe_load(source).get("defaults", []) if yaml.safe_load(source) else []:
        if isinstance(base, str) and base not in {"_self_", "run"}:
            parent = base.partition("@")[0]
            notes |= comments(
                parent[1:] if parent.startswith("/") else f"{Path(name).parent}/{parent}", folders, prefix
            )
    walked: list[tuple[int, str]] = []
    for line in source.splitlines():
        match = re.match(r"( *)([\w.-]+):(?:[^#\"']|\"[^\"]*\"|'[^']*'|(?<! )#)*?(?: #\s*(.*))?$", line)
        if match:
            depth = len(match[1])
            walked = [*(one for one in walked if one[0] < depth), (depth, match[2])]
            if match[3]:
                notes[prefix + ".".join(key for _, key in walked)] = match[3]
    return notes


def lines(node: Mapping[str, Any], notes: Mapping[str, str], path: str) -> Iterator[str]:
    """One line per key: indented value, then its comment."""
    indent = "  " * path.count(".")
    for key, value in node.items():
        nested = isinstance(value, Mapping) and value
        shown = f"{indent}{key}:" if nested else f"{indent}{key}: {_flow(value)}"
        note = notes.get(f"{path}{key}")
        yield f"{shown:<{COLUMN}}  # {note}" if note else shown
        if nested:
            yield from lines(value, notes, f"{path}{key}.")


def _flow(value: Any) -> str:
    """A value on one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("...\n").strip()
