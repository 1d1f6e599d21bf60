"""Translate the user's command line into Hydra's overrides."""

import re
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf

from dgn.base.errors import UserError
from dgn.base.folders import file, members
from dgn.settings import renamed
from dgn.settings.compose import overrides
from dgn.settings.identity import DEVICES, FREE

ROLES = ("target", "encoder", "comparator", "observer", "classifier", "judge", "start.encoder",
         "prior.encoder")  # of networks  # fmt: skip
PATHS = ("output", "data.root", "units_file", "bundle", "init", "code_cache", "start.path", "generator.codes", "sheet",
         "answers", "images", "places", "judge_weights", "docs",
         *(f"{role}.weights" for role in (*ROLES, "generator", "loss.feature.network")))  # fmt: skip
NAMES = ("units", "title", *(f"{role}.{key}" for role in ROLES for key in ("layer", "classes")))
FURTHER = re.compile(r"judges\.\w+")  # further judges are roles that the user names: network@judges.second=…
LISTED = re.compile(r"\s*(null|glob\(.*\)|choice\(.*\)|range\(.*\)|sort\(.*\)|shuffle\(.*\)|.*\$\{.*)\s*", re.DOTALL)
QUOTED = re.compile(r"""\s*("([^"\\]|\\.)*"|'([^'\\]|\\.)*')\s*""", re.DOTALL)


def words(command: str, typed: Sequence[str]) -> list[str]:
    """The command line as Hydra's overrides.

    - `debug=true` chooses conf/debug/COMMAND.yaml, because Hydra allows no true or false as a member's name.
    - Your own class, `target._target_=my_pkg.MyNet`, chooses the member `custom`, so no key of the default network
      remains; arguments need no plus: `target.args.depth=18`.
    - Paths and names stay text where Hydra would read a number (`output=2026_11_28`) or fail (`data.root=/a (b)`).
    - The swept keys name a sweep's folders; those in a file (`hydra.sweeper.params`) count as if on the command line.

    Raises UserError for a group set to null, and for a sweep over a key that does not change the result.
    """
    debug = {"debug=true": f"debug={command}", "debug=false": "debug=off"}
    options, assignments = split([debug.get(word.lower(), word) for word in typed])
    values = [_present(word, command) for word in assignments]
    in_file = swept_in_files(options, values)
    refuse_options(typed)
    several = options.multirun or bool(in_file)
    taken = [one for word in [*values, *in_file] for one in _own(literal(word, several), values)]
    if several:
        taken.append(f"hydra.sweep.subdir=${{point:{','.join(_swept(command, taken))}}}")
    flags = [word for word in typed if word not in assignments and debug.get(word.lower(), word) not in assignments]
    multirun = ["--multirun"] if in_file and not options.multirun else []
    clear = ["hydra.sweeper.params=null"] if in_file else []
    return [*flags, *multirun, *taken, *clear]


def _present(word: str, command: str) -> str:
    """The override with the present names of its key and its member."""
    key, equals, value = word.partition("=")
    if not equals:
        return word
    plus = key[: len(key) - len(key.lstrip("+~"))]
    key = plus + renamed.key(key.lstrip("+~"), command)
    return f"{key}={renamed.member(key, value)}"


def split(typed: Sequence[str]) -> tuple[Namespace, list[str]]:
    """Hydra's options, and the overrides."""
    options = get_args_parser().parse_known_args(list(typed))[0]
    return options, list(options.overrides)


def refuse_options(typed: Sequence[str]) -> None:
    """UserError for an option that Hydra does not have: settings are written without dashes."""
    for option in get_args_parser().parse_known_args(list(typed))[1]:
        if option.startswith("-"):
            name, _, value = option.lstrip("-").partition("=")
            after = [*typed[typed.index(option) + 1 :], "…"][0] if option in typed else "…"
            raise UserError(f"there is no option {option}: write {name}={value or after}")


def literal(word: str, several: bool) -> str:
    """The override with its value quoted, if it is a path or a name that Hydra would read as something else.

    Args:
        several: whether commas separate the values of a sweep.
    """
    key, equals, value = word.partition("=")
    name = key.lstrip("+")
    name = FURTHER.sub("judge", name)
    if not equals or name not in (*PATHS, *NAMES) or LISTED.fullmatch(value):
        return word
    path, layer = name in PATHS, name.endswith(".layer")
    if value.lstrip().startswith("["):
        return word if path else f"{key}={_each(value)}"
    parts = _commas(value) if several or not path else [value]
    return f"{key}={','.join(_text(part, numbers=not path and not layer) for part in parts)}"


def _each(value: str) -> str:
    """A list, or several lists of a sweep, with every element quoted that is not a whole number."""
    lists = _commas(value)
    if any(not (part.strip().startswith("[") and part.strip().endswith("]")) for part in lists):
        return value  # Hydra reports the mistake
    return ",".join(
        "[" + ",".join(_text(one, numbers=True) for one in _commas(part.strip()[1:-1])) + "]" for part in lists
    )


def _text(value: str, numbers: bool) -> str:
    """One value, quoted if Hydra would not read it as this text; with `numbers` a whole number stays a number."""
    text = value.strip()
    if not text or QUOTED.fullmatch(text) or (numbers and re.fullmatch(r"-?(0|[1-9]\d*)", text)):
        return value
    if not numbers and text.startswith("~"):
        text = str(Path(text).expanduser())
    try:
        read = overrides([f"x={text}"])[0]
        if not read.is_sweep_override() and read.value() == text and isinstance(read.value(), str):
            return text
    except HydraException:
        pass
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _commas(value: str) -> list[str]:
    """Split at the commas outside brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for i, c in enumerate(value):
        if quote:
            quote = "" if c == quote and value[i - 1] != "\\" else quote
        elif c in "\"'" and (not parts[-1].strip() or depth):
            quote = c
        elif c in "[({":
            depth += 1
        elif c in "])}":
            depth -= 1
        if c == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += c
    return parts


def _own(word: str, typed: Sequence[str]) -> list[str]:
    """An override of a network or generator, with the further overrides that Hydra needs for it."""
    key, _, value = word.partition("=")
    if value == "null" and members(key.partition("@")[0]):
        raise UserError(f"{word} is not possible: leave it out for the default, or set {key}=NAME")
    role, _, last = key.removeprefix("network@").rpartition(".")
    group = role if role == "generator" else f"network@{role}"
    if key.startswith("network@") and FURTHER.fullmatch(key.removeprefix("network@")):
        return [f"+{word}"]
    if last == "_target_" and (role in ROLES or role == "generator" or FURTHER.fullmatch(role)):
        chosen = any(other.startswith(f"{group}=") for other in typed)
        plus = "+" if FURTHER.fullmatch(role) else ""
        return [*([] if chosen else [f"{plus}{group}=custom"]), f"{role}._target_={value}"]
    if FURTHER.sub("judge", key.partition(".args.")[0]) in (*ROLES, "generator") and ".args." in key:
        return [f"++{word}"]
    return [f"++{word}" if key.startswith("score.") else word]


def _swept(command: str, values: Sequence[str]) -> list[str]:
    """The keys with several values in a sweep; UserError for one that does not change the result."""
    try:
        parsed = overrides(values)
    except HydraException:  # Hydra reports the mistake later
        return []
    keys = [override.get_key_element().lstrip("+") for override in parsed if _is_sweep(override)]
    for key in keys:
        if key in FREE or (command == "synthesize" and key in DEVICES):
            raise UserError(f"{key} does not change the result, so it cannot be swept: sweep another key")
    return keys


def _is_sweep(override: Override) -> bool:
    return override.is_sweep_override()


def swept_in_files(options: Namespace, values: Sequence[str]) -> list[str]:
    """The sweep of the chosen experiment or of --config-name, `hydra.sweeper.params`, as overrides.

    They are passed on the command line, because Hydra names folders and plans points by it. The user's own value for a
    key wins.
    """
    folder = [Path(options.config_dir)] if options.config_dir else []
    chosen = [word.partition("=")[2] for word in values if word.lstrip("+").startswith("experiment=")]
    names = [f"experiment/{name}" for name in chosen] + ([options.config_name] if options.config_name else [])
    typed = {word.lstrip("+").partition("=")[0] for word in values}
    params: dict[str, Any] = {}
    for name in names:
        path = file(name, *folder)
        if path and "sweeper" in path.read_text(encoding="utf-8"):
            config = OmegaConf.load(path)
            params |= dict(OmegaConf.select(config, "hydra.sweeper.params") or {})
    return [f"{key}={value}" for key, value in params.items() if key not in typed]
