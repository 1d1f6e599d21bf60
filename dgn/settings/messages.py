"""Errors of Hydra, OmegaConf and the disk as one sentence: what is wrong, and what to set."""

import errno
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.errors import HydraException, InstantiationException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dgn.base.errors import UserError, nearest
from dgn.base.folders import members
from dgn.settings.compose import composed
from dgn.settings.elsewhere import ELSEWHERE_CALLED, elsewhere, has, member_with, other_command
from dgn.settings.words import PATHS, split

UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.ENOTDIR, errno.EEXIST}
MOST_LISTED = 3
FORBIDDEN = {errno.EACCES, errno.EPERM}  # reading or writing: the system does not tell which


def meant_for_the_user(error: Exception) -> bool:
    """Whether an error is the user's to mend: a mistake in the request, a full disk, a permission. Others are bugs.

    Hydra wraps the errors of a config's classes.
    """
    if isinstance(error, InstantiationException):
        return isinstance(error.__cause__, UserError)
    if isinstance(error, UserError | OmegaConfBaseException | HydraException):
        return True
    return isinstance(error, OSError) and error.errno in UNWRITABLE | FORBIDDEN


@contextmanager
def explained(command: str, words: Sequence[str]) -> Iterator[None]:
    """Turn Hydra's and OmegaConf's errors into UserError, for overrides of `command`'s config."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        if not meant_for_the_user(error):
            raise
        raise UserError(sentence(error, command, words)) from None


def sentence(error: Exception, command: str, words: Sequence[str]) -> str:
    """The error as one sentence."""
    if isinstance(error, InstantiationException):
        error = error.__cause__ or error  # type: ignore[assignment]
    seen: BaseException | None = error
    while seen is not None:  # the UserError may have been raised while a value was resolved
        if isinstance(seen, UserError):
            return str(seen)
        seen = seen.__cause__ or seen.__context__
    text = str(error)
    if isinstance(error, OSError) and not isinstance(error, HydraException):
        return _system(error)
    if match := re.search(r"Could not override '([^']+)'", text):
        return _unknown(match[1], command, words)
    if match := re.search(r"Could not find '([^']+)'", text):
        return _no_member(match[1], command, words)
    if match := re.search(r"Error trying to access (\S+): node `(\S+)` is not a container", text):
        return f"{match[2]} is a group of keys, not a single value: set {match[1]}=…"
    if match := re.search(r"Interpolation key '([^']+)' not found", text):
        return _no_value(match[1], command, words)
    if match := re.search(r"(?:Ambiguous value for argument|Sweep parameters) '([^=]+)=(.*?)'[\n ]", text):
        key, values = match.groups()
        return f"{key}={values} is a sweep: add -m to run every value, or set '{key}=[{values}]' for a list"
    if isinstance(error, OverrideParseException):
        return _unreadable(str(error.override), words)
    if match := re.search(r"override (\S+) : (.*)", text.splitlines()[0]):
        return f"cannot set {match[1]} ({match[2]})"
    if match := re.search(r"Error merging override ([^=]+)=", text):
        return f"{match[1]} has another form: set it like its default, which dgn {command} --help shows"
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def _system(error: OSError) -> str:
    """A full or read-only disk, or a missing permission, as one sentence."""
    if error.errno in FORBIDDEN:
        return f"permission denied: {error.filename or 'a file of this run'} ({error.strerror}); change its permissions"
    where = f" {error.filename}" if error.filename else ""
    path = Path(str(error.filename or "."))
    if file := next((one for one in (path, *path.parents) if one.is_file()), None):
        return f"{file} is a file, and a folder is needed: set another output=DIR"
    return (f"cannot write{where} ({error.strerror}); completed files are intact: free disk space, or set another "
            "output=DIR")  # fmt: skip


def _no_member(path: str, command: str, words: Sequence[str]) -> str:
    """For GROUP/MEMBER that does not exist: the nearest member, or the key that takes such a value."""
    if path.startswith("hydra/launcher/"):
        name = path.rpartition("/")[2]
        return f"there is no launcher {name!r}: install hydra/launcher=joblib by pip install 'dgn[sweep]'"
    group, _, member = path.partition("/")
    folder = split(words)[0].config_dir
    listed = members(group, *([Path(folder)] if folder else []))
    chosen = next((word.partition("=")[0] for word in words if word.endswith(f"={member}")), group)
    if "/" in member or Path(member).suffix:
        return _path_for_member(chosen, member, listed, command)
    instead = nearest(member, listed)
    if group == "network":
        from dgn.networks.libraries import words_for  # imports torchvision

        if known := words_for(member, chosen.rpartition("@")[2]):
            instead = f"set {' '.join(known)}"
    return f"there is no {group} {member!r}: {instead}"


def _path_for_member(group: str, path: str, listed: Sequence[str], command: str) -> str:
    """For a path where a member's name is needed."""
    kind, _, role = group.rpartition("@")
    kind, more = kind or role, f"choose from {', '.join(listed)}"
    key = next((key for key in PATHS if key.rpartition(".")[0] == role), "")
    if key and key.rpartition(".")[2] in (_defaults(command).get(role) or {}):
        more = f"set {key}={path}"
    elif key and (member := member_with(kind, key.rpartition(".")[2])):
        more = f"set {group}={member} {key}={path}"
    return f"{group} takes the name of a kind ({', '.join(listed[:MOST_LISTED])}), not a path: {more}"


def _no_value(key: str, command: str, words: Sequence[str]) -> str:
    """For a key that another one takes its value from, and that a member of the user's own lacks."""
    role, _, last = key.rpartition(".")
    chosen = [word for word in words if word.partition("=")[0].rpartition("@")[2] == role]
    if not chosen:
        return f"{key} has no value: set {key}=…"
    group, _, member = chosen[-1].partition("=")
    return (f"{group.partition('@')[0]}/{member}.yaml lacks {last}: begin it with `defaults: [custom]`, or set "
            f"{key}=…")  # fmt: skip


def _unreadable(word: str, words: Sequence[str]) -> str:
    """For an override that Hydra cannot parse: the same with the quotes that it needs, inside those of the shell."""
    key, equals, value = word.partition("=")
    if not equals or not key:
        return f"{word!r} is not a setting: {_torn(word, words)}"
    if value.lstrip().startswith("{"):
        return f"cannot parse {word!r}: write a group of keys in quotes, with colons: '{key}={{size:64,mean:[0.5]}}'"
    if value.lstrip().startswith(("[", "{")):
        return (f"cannot parse {word!r}: write a list as [a,b] in quotes, and quote names with brackets, commas or "
                "signs once more: 'units=[lemon,\"bar & grill\"]'")  # fmt: skip
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f"cannot parse {word!r}: write '{key}=\"{quoted}\"', with both kinds of quotes"


def _torn(word: str, words: Sequence[str]) -> str:
    """How to write a word that the shell has cut from its neighbours."""
    i = words.index(word) if word in words else len(words)
    before, after = "".join(words[i - 1 : i]), "".join(words[i + 1 : i + 2])
    if word.startswith("="):
        return f"write {before}{word}{after if word == '=' else ''}, without spaces around ="
    if after.startswith("="):
        return f"write {word}{after}{''.join(words[i + 2 : i + 3]) if after == '=' else ''}, without spaces around ="
    if "=" in before and not before.startswith("-") and not before.startswith("="):
        return f"write KEY=VALUE, or quote a value with a space: '{before} {word}'"
    return "write KEY=VALUE, such as units=lemon or seed=1"


def _unknown(key: str, command: str, words: Sequence[str]) -> str:
    """For an unknown key: the nearest existing one, or the group to choose first."""
    if any(word.partition("=")[0] in {"--config-name", "-cn"} for word in words) and key in _groups(command):
        return (f"cannot choose another {key} with a run's config.yaml: set single keys, or repeat the original "
                "command")  # fmt: skip
    if "@" in key or "/" in key:
        roles = [group for group in _groups(command) if group.startswith(f"{key.partition('@')[0]}@")]
        return f"there is no {key!r} in dgn {command}: {nearest(key, roles or _groups(command))}"
    roles = [group for group in _groups(command) if group.startswith(f"{key}@")]
    if roles:
        return f"{key} needs to know of which part: set {' or '.join(f'{group}=…' for group in roles)}"
    parent, _, last = key.rpartition(".")
    try:
        node = _defaults(command, _chosen(command, words))
    except HydraException:  # values of a sweep
        node = _defaults(command)
    if found := _found(key, command, node, words):
        return f"there is no key {key!r}: {found}"
    walked: list[str] = []
    for part in parent.split(".") if parent else []:
        if part not in node:
            if ".".join(walked) in _groups(command) and part in members(".".join(walked)):
                return _not_chosen(".".join(walked), part, command, words)
            return f"there is no key {'.'.join([*walked, part])!r}: {nearest(part, map(str, node))}"
        node, walked = node[part], [*walked, part]
        if node is None and f"network@{part}" in _groups(command):
            return f"no {part} is chosen: set network@{part}=NAME as well"
        if not isinstance(node, Mapping):
            return f"there is no key {key!r}: {'.'.join(walked)} is a single value ({node!r}); set that"
    known = [*node, *([] if parent else _groups(command))]
    return f"there is no key {key!r}: {nearest(last, map(str, known))}"


def _not_chosen(group: str, member: str, command: str, words: Sequence[str]) -> str:
    """For a key of a member that has to be chosen first, of a group of which several can be."""
    before = next((value for name, _, value in (word.partition("=") for word in words) if name == group), "none")
    chosen = [] if before == "none" else before.strip("[]").split(",")
    both = f"'{group}=[{','.join([*chosen, member])}]'" if chosen else f"{group}={member}"
    return f"the {group} {member} is not chosen: set {both} as well"


def _found(key: str, command: str, config: Mapping[Any, Any], words: Sequence[str]) -> str:
    """Where else a key exists, as the end of a sentence; "" for nowhere."""
    role, _, last = key.rpartition(".")
    if key in ELSEWHERE_CALLED:
        return f"set {'='.join(ELSEWHERE_CALLED[key])}"
    if config.get(role, "") is None:
        return ""
    if role in _groups(command) and (member := member_with(role, last)):
        return f"it is one of {role}={member}, not of {role}={composed(command, _chosen(command, words)).choices[role]}"
    other, paths = other_command(key, command), elsewhere(key, command, config)
    inside = not role or has(config, role.split("."))
    if paths and (inside or not other):
        return "did you mean " + " or ".join(map(repr, paths)) + "?"
    return f"it is a key of dgn {other}" if other else ""


def _defaults(command: str, chosen: Sequence[str] = ()) -> Any:
    """The command's config with these group members and all other defaults."""
    return OmegaConf.to_container(composed(command, chosen).config, resolve=False)


def _chosen(command: str, words: Sequence[str]) -> list[str]:
    """The words that choose members of groups."""
    return [word for word in words if word.partition("=")[0] in _groups(command)]


def _groups(command: str) -> list[str]:
    return [group for group in composed(command).choices if not group.startswith("hydra/")]
