"""What Hydra and OmegaConf say of a wrong word on the command line, as one sentence that says what to type."""

import errno
import re
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from hydra import compose
from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dgn.base.errors import UserError, nearest
from dgn.config import CONF
from dgn.config import hydra as hydra_running

COUNTS = (  # settings that are a whole number from one on
    *("seeds", "batch_size", "iterations", "log_every", "eval_every", "kept_codes", "snapshot_every", "ascent.steps"),
    *("data.batch_size", "data.val_images", "data.crop", "data.resize", "moments.images", "module.accumulate"),
)
FROM_ZERO = ("seed", "real_images")  # from zero on: training takes no negative seed
MOST = {"seed": 2**32 - 1}  # numpy's generators, which training seeds too, take no larger one
NULLABLE = ("snapshot_every", "data.val_images", "target.radius")  # numbers that may be null
CHOICES = {  # settings that are one of a few words
    "ascent.units": ("std", "absolute"),
    "ascent.render": ("last", "before_last_step"),
    "prior.lower": ("auto", "zero"),
}

RANGES = {  # the least and the most that a setting may be
    "ascent.whole": (0, 1),
    "ascent.noise": (0, inf),
    "prior.k": (0, inf),
    "prior.shrink": (0.01, 1),
}

UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR,
              errno.EEXIST}  # fmt: skip


def check(config: DictConfig, choices: Mapping[str, Any], command: str) -> None:
    """UserError for a composed config whose mistakes Hydra does not see.

    A role that is a bare word (`target=x`), a value that is missing, a word where a number belongs, what is no count,
    a word that is none of those there are.
    """
    _check_roles(config, choices)
    _check_generator(config, choices, command)
    check_missing(OmegaConf.to_container(config, resolve=False))
    chosen = [f"{group}={member}" for group, member in choices.items() if isinstance(member, str)]
    _check_numbers(OmegaConf.to_container(config, resolve=False), _defaults(command, chosen), "")
    for key in (*COUNTS, *FROM_ZERO):
        least = 0 if key in FROM_ZERO else 1
        value = OmegaConf.select(config, key, default=least)
        if value is None and key in NULLABLE:
            continue
        shown = "null" if value is None else value
        if type(value) is not int:  # a truth value is none
            raise UserError(f"{key}={shown} is not a whole number: type {key}={least} or more")
        if value < least:
            raise UserError(f"{key}={shown} is less than {'one' if least else 'zero'}: type {key}={least} or more")
        if value > MOST.get(key, value):
            raise UserError(f"{key}={value} is too large: type {key}={MOST[key]} or less")
    for key, (low, high) in RANGES.items():
        number = OmegaConf.select(config, key, default=high)
        if isinstance(number, int | float) and not low <= number <= high:
            to = "or more" if high == inf else f"to {high}"
            raise UserError(f"{key}={number} is out of range: type {key}={low} {to}")
    for key, names in CHOICES.items():
        value = OmegaConf.select(config, key, default=names[0])
        if value not in names:
            raise UserError(f"there is no {key} {value!r}: {nearest(str(value), names)}")


def check_missing(config: Any, path: str = "") -> None:
    """UserError for the first value that is missing; nothing is looked up for it."""
    for key, value in config.items():
        if value == "???":
            raise UserError(f"{path}{key} has no value: type {path}{key}=…")
        if isinstance(value, Mapping):
            check_missing(value, f"{path}{key}.")


def _check_numbers(config: Any, defaults: Any, path: str) -> None:
    """UserError where a default is a number, a truth value or a list of numbers, and the config has none."""
    for key, default in defaults.items():
        value, name = config.get(key, default), f"{path}{key}"
        if isinstance(default, Mapping) and isinstance(value, Mapping):
            _check_numbers(value, default, f"{name}.")
        elif isinstance(default, bool | int | float) and not isinstance(value, bool | int | float):
            if (value is None and name in NULLABLE) or "${" in str(value):
                continue
            kind = "true or false" if isinstance(default, bool) else "a number"
            shown = "null" if value is None else value
            raise UserError(f"{name}={shown} is not {kind}: type {name}={str(default).lower()}")
        elif name == "units" or path.endswith(".input."):  # of units and inputs more may be said than by numbers
            continue
        elif default and _numbers(default) and not _numbers(value) and "${" not in str(value):
            raise UserError(f"{name}={value} is not a list of numbers: type '{name}={default}'")


def _numbers(value: Any) -> bool:
    """Whether this is a list of numbers."""
    return isinstance(value, list) and all(type(one) in (int, float) for one in value)


def _check_roles(config: DictConfig, choices: Mapping[str, Any]) -> None:
    for group in choices:
        name, _, role = group.partition("@")
        role = role or name
        if role.startswith("hydra/") or "/" in role or role == "_global_" or role not in config:
            continue
        value = OmegaConf.to_container(config, resolve=False).get(role)  # type: ignore[union-attr, call-arg]
        if not isinstance(value, Mapping) and value is not None and group not in {"task", "debug"}:
            raise UserError(f"{role}={value} is not how a {name} is named: type {group}={value}")


def _check_generator(config: DictConfig, choices: Mapping[str, Any], command: str) -> None:
    """UserError for a member of `generator` that the other command has a use for."""
    node: Any = OmegaConf.to_container(config, resolve=False).get("generator", {})  # type: ignore[union-attr, call-arg]
    if command == "train" and "_target_" in node:
        raise UserError("what is trained is a generator of dgn or a class of yours that is named by its kind: set "
                        "generator=small, generator=deepsim or a YAML of your own")  # fmt: skip
    if command == "synthesize" and "_target_" not in node and node.keys() - {"kind"}:
        raise UserError(f"generator={choices.get('generator')} is for training, and pictures come from the G in a "
                        "bundle: leave generator out, and set bundle=FILE to a file that train.py wrote")  # fmt: skip


def meant_for_the_user(error: Exception) -> bool:
    """Whether an error is a mistake in what was asked for, or a disk that takes no more; the others are bugs.

    Hydra wraps what a config's class raises.
    """
    if isinstance(error, InstantiationException):
        return isinstance(error.__cause__, UserError | TypeError)
    if isinstance(error, UserError | OmegaConfBaseException | HydraException):
        return True
    return isinstance(error, OSError) and error.errno in UNWRITABLE


def sentence(error: Exception, command: str, words: Sequence[str]) -> str:
    """The error as one sentence."""
    if isinstance(error, InstantiationException):
        error = error.__cause__ or error  # type: ignore[assignment]
    seen: BaseException | None = error
    while seen is not None:  # raised while a value of the config was looked up
        if isinstance(seen, UserError):
            return str(seen)
        seen = seen.__cause__ or seen.__context__
    text = str(error)
    if isinstance(error, OSError) and not isinstance(error, HydraException):
        where = f" to {error.filename}" if error.filename else ""
        return f"nothing can be written{where} ({error.strerror}): what was whole is kept; make room or type output=DIR"
    if match := re.search(r"Could not override '([^']+)'", text):
        return _unknown(match[1], command, words)
    if match := re.search(r"Could not find '([^']+)'", text):
        group, _, member = match[1].rpartition("/")
        if group == "hydra/launcher":
            return f"there is no launcher {member!r}: hydra/launcher=joblib comes with pip install 'dgn[sweep]'"
        return f"there is no {group} {member!r}: {nearest(member, _members(group))}"
    if match := re.search(r"(?:Ambiguous value for argument|Sweep parameters) '([^=]+)=(.*?)'[\n ]", text):
        key, values = match.groups()
        return f"{key}={values} is a sweep: add -m to run every value, or type '{key}=[{values}]' for a list"
    if "parsing override" in text or "LexerNoViableAlt" in text or "mismatched input" in text or "no viable" in text:
        bad = re.search(r"override '(.*?)'\s*(?:\n|$)", text, re.DOTALL)
        word = bad[1] if bad else " ".join(words)
        if "=" not in word:
            return f"{word!r} is not a setting: type KEY=VALUE"
        return f"{word!r} cannot be read: quote what holds brackets, commas or spaces, like 'units=[volcano,goldfish]'"
    if match := re.search(r"override (\S+) : (.*)", text.splitlines()[0]):
        return f"{match[1]} cannot be set ({match[2]})"
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def _unknown(key: str, command: str, words: Sequence[str]) -> str:
    """A key that the config does not have: the nearest that it has, or the role for a group."""
    if any(word.partition("=")[0] in {"--config-name", "-cn"} for word in words) and key in _groups(command):
        return f"the config.yaml of a run lets no other {key} be chosen: type single keys, or the run's own line anew"
    if "@" in key or "/" in key:
        return f"there is no group {key!r}: {nearest(key, _groups(command))}"
    parent, _, last = key.rpartition(".")
    chosen = [word for word in words if word.partition("=")[0] in _groups(command)]
    try:
        node = _defaults(command, chosen)
    except HydraException:  # values of a sweep
        node = _defaults(command)
    walked: list[str] = []
    for part in parent.split(".") if parent else []:
        if part not in node:
            return f"there is no key {'.'.join([*walked, part])!r}: {nearest(part, map(str, node))}"
        node, walked = node[part], [*walked, part]
        if node is None and f"network@{part}" in _groups(command):
            return f"there is no {part} yet: type network@{part}=NAME as well"
        if not isinstance(node, Mapping):
            return f"there is no key {key!r}: {'.'.join(walked)} is a value, {node!r}"
    known = [*node, *([] if parent else _groups(command))]
    return f"there is no key {key!r}: {nearest(last, map(str, known))}"


def _defaults(command: str, chosen: Sequence[str] = ()) -> Any:
    """The command's config with these members of its groups and nothing else typed."""
    return OmegaConf.to_container(_composed(command, chosen)[0], resolve=False)


def _groups(command: str) -> list[str]:
    return [group for group in _composed(command)[1] if not group.startswith("hydra/")]


def _composed(command: str, chosen: Sequence[str] = ()) -> tuple[DictConfig, list[str]]:
    """A command's config and the groups that it is made of."""
    with hydra_running():
        config = compose(command, overrides=list(chosen), return_hydra_config=True)
        groups = list(config.hydra.runtime.choices)
        OmegaConf.set_struct(config, False)
        config.pop("hydra")
        return config, groups


def _members(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))
