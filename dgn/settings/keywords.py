"""Settings from Python: keywords, nested or dotted, with NumPy numbers, tensors and paths as values."""

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dgn.base.errors import UserError, nearest
from dgn.base.folders import members
from dgn.settings import messages, renamed
from dgn.settings.compose import Composed, composed, outside
from dgn.settings.elsewhere import ELSEWHERE_CALLED, elsewhere, other_command
from dgn.settings.words import PATHS, words

Keywords = Mapping[str, Any]
INTERNAL = ("panels", "base_overrides")  # keys that a run fills in, not its user


def configured(command: str, typed: Sequence[str], keywords: Sequence[Keywords], role: str = "") -> Composed:
    """The config of a command with words and, after them, keywords set; not checked yet.

    A keyword is a key of the command's YAML: `seeds=4`, `ascent={"steps": 50}`, or dotted, `**{"ascent.steps": 50}`.
    Text for a part of the config chooses a member of its group: `prior="box"`, `judge="squeezenet1_1"`. A dict with
    `_target_` describes a part of your own. None for a part leaves its default.

    Args:
        keywords: later ones win.
        role: a part of the config whose keys may stand alone: `layer` for `target.layer`.

    Raises UserError, one sentence, for a word or a keyword that does not exist or a value that is no setting.
    """
    chosen = list(typed)
    with messages.explained(command, chosen), outside():
        values = [(key, plain_value(value, key)) for keys in keywords for key, value in keys.items()]
        made, values = _choose(command, chosen, values)
        for key, value in values:
            _set(made, _full(key, made, role, command), value, role)
        return made


def plain_value(value: Any, key: str) -> Any:
    """A value in plain YAML types: numbers, text, lists, dicts. UserError for any other object."""
    if value is None or type(value) in {bool, int, float, str}:
        return value
    if callable(getattr(value, "tolist", None)):  # NumPy's numbers and arrays, tensors, pandas' columns
        return plain_value(value.tolist(), key)
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, str):
        return str(value)
    if key.rpartition(".")[2] == "classes" and isinstance(value, Mapping):
        return _class_names(value, key)
    if isinstance(value, Mapping):
        return {plain_value(k, key): plain_value(v, f"{key}.{k}") for k, v in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain_value(one, key) for one in value), key=str)
    if isinstance(value, Iterable) and not hasattr(value, "parameters"):
        return [plain_value(one, key) for one in value]
    if key.rpartition(".")[2] == "layer":
        raise UserError(f"{key} cannot be a {type(value).__name__}: give its name, see dgn.layers(net)")
    raise UserError(f"{key} cannot be a {type(value).__name__}: set it to a number, text, a list or a dict; for "
                    f"your own class set its import path, {key}={{'_target_': 'my_pkg.MyClass'}}")  # fmt: skip


def _class_names(classes: Mapping[Any, Any], key: str) -> list[str]:
    """The names in order, of {0: "a", 1: "b"} or, as data sets have it, {"a": 0, "b": 1}."""
    by_index = classes if not all(type(index) is int for index in classes.values()) else {
        index: name for name, index in classes.items()
    }  # fmt: skip
    try:
        names = {int(index): str(name) for index, name in by_index.items()}
    except (TypeError, ValueError):
        names = {}
    if not names or sorted(names) != list(range(len(classes))):
        raise UserError(f"{key} does not name the outputs 0, 1, 2, … once each: set {key}={{0: 'a', 1: 'b'}} or "
                        f"{key}=['a', 'b']")  # fmt: skip
    return [names[index] for index in range(len(names))]


def _choose(command: str, typed: list[str], values: list[tuple[str, Any]]) -> tuple[Composed, list[tuple[str, Any]]]:
    """The config with the members that keywords choose, and the other keywords; the words are added to `typed`.

    A choice may bring further groups (`start="image"` has an encoder of its own), so this looks until none is left.
    """
    while True:
        made = _composed(command, typed)
        groups = _groups(made)
        parts = [(key, *_choice(groups, key, value)) for key, value in values]
        values = [(key, rest) for key, _, rest in parts if rest is not None or key not in groups]
        chosen = [word for _, word, _ in parts if word]
        if not chosen:
            return made, values
        typed += chosen


def _composed(command: str, typed: Sequence[str]) -> Composed:
    taken = words(command, typed)
    if any(word.startswith("-") for word in taken):
        raise UserError("a call from Python is a single run: leave out options and sweeps; use a loop instead")
    return composed(command, taken)


def _groups(made: Composed) -> dict[str, str]:
    """Hydra's name of every group by the part of the config that it fills: {"judge": "network@judge", …}."""
    names = [group for group in made.choices if not group.startswith("hydra/")]
    return {group.rpartition("@")[2]: group for group in names} | {group: group for group in names}


def _choice(groups: Mapping[str, str], key: str, value: Any) -> tuple[str, Any]:
    """The word by which a keyword chooses a member of a group, "" if it does not, and what is left of its value."""
    group = groups.get(key)
    if group is None or value is None:
        return "", value
    role, takes_classes = group.rpartition("@")[2], group == "generator" or group.startswith("network@")
    if isinstance(value, bool):  # debug
        return f"{group}={str(value).lower()}", None
    if isinstance(value, str):
        is_path = takes_classes and "." in value and value not in members(group.partition("@")[0])
        return f"{role}._target_={value}" if is_path else f"{group}={value}", None
    if takes_classes and isinstance(value, Mapping) and "_target_" in value:
        return f"{role}._target_={value['_target_']}", {k: v for k, v in value.items() if k != "_target_"}
    return "", value


def _full(key: str, made: Composed, role: str, command: str) -> str:
    """The dotted key in the config, by its present name; UserError for one that does not exist."""
    head, config = key.partition(".")[0], made.config
    if renamed.TOP.get(head, head) in config and head not in INTERNAL:
        return renamed.key(key)
    of_role = config[role] if role else {}
    if renamed.GROUPS.get(role, {}).get(head, head) in of_role:
        return renamed.key(f"{role}.{key}")
    known = [str(name) for name in config if name not in INTERNAL]
    if key == head not in INTERNAL and (found := _found(key, made, role, command)):
        raise UserError(f"there is no setting {key!r}: {found}")
    raise UserError(f"there is no setting {key!r}: {nearest(head, [*known, *map(str, of_role), 'quiet'])}")


def _found(key: str, made: Composed, role: str, command: str) -> str:
    """Where else a key exists, as it is written in Python, as the end of a sentence; "" for nowhere."""
    if key in ELSEWHERE_CALLED:
        return "set {}={!r}".format(*ELSEWHERE_CALLED[key])
    values: Any = OmegaConf.to_container(made.config, resolve=False)
    paths = [path.removeprefix(f"{role}.") for path in elsewhere(key, command, values)]
    if paths:
        return f"set {' or '.join(map(_nested, sorted(paths, key=lambda path: path.count('.'))))}"
    other = other_command(key, command)
    return f"it is a key of dgn {other}" if other else ""


def _nested(path: str) -> str:
    """A dotted key as a keyword with dicts: input={'size': …}."""
    head, *parts = path.split(".")
    inside = "…"
    for part in reversed(parts):
        inside = f"{{{part!r}: {inside}}}"
    return f"{head}={inside}"


def _set(made: Composed, key: str, value: Any, role: str) -> None:
    """Set one key; a dict is merged into what is there, unless it describes a part of its own with `_target_`."""
    node, groups, value = made.config, _groups(made), _expanded(key, value)
    *parents, last = key.split(".")
    for i, part in enumerate([*parents, last]):
        path = ".".join([*parents, last][: i + 1])
        if part in node and node[part] is None and path in groups and (path != key or isinstance(value, Mapping)):
            raise UserError(f"no {path} is chosen: pass {path}='NAME' as well")
        if path == key:
            break
        if not isinstance(node.get(part), DictConfig):
            raise UserError(f"there is no setting {key!r}: {nearest(part, map(str, node))}")
        node = node[part]
    if key in groups and not isinstance(value, Mapping):
        raise UserError(f"{key}={value} is neither a valid choice nor a dict of settings: "
                        f"{nearest(str(value), members(groups[key].partition('@')[0]))}")  # fmt: skip
    if isinstance(node.get(last), DictConfig) and not isinstance(value, Mapping) and value is not None:
        inside = next(iter(node[last]), "KEY")
        name = key.removeprefix(f"{role}.")
        raise UserError(f"{name}={value} is not a dict: set {_nested(f'{name}.{inside}')}")
    merged = isinstance(value, Mapping) and "_target_" not in value and isinstance(node.get(last), DictConfig)
    node[last] = OmegaConf.merge(node[last], value) if merged else value


def _expanded(key: str, value: Any) -> Any:
    """The value with ~ in paths as the home folder, as the shell has it."""
    if isinstance(value, Mapping):
        return {k: _expanded(f"{key}.{k}", v) for k, v in value.items()}
    return str(Path(value).expanduser()) if key in PATHS and isinstance(value, str) and value[:1] == "~" else value
