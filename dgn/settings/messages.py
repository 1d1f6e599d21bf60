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
from dgn.settings.words import split

UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.ENOTDIR, errno.EEXIST}
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
        group, _, member = match[1].rpartition("/")
        if group == "hydra/launcher":
            return f"there is no launcher {member!r}: install hydra/launcher=joblib by pip install 'dgn[sweep]'"
        folder = split(words)[0].config_dir
        return f"there is no {group} {member!r}: {nearest(member, members(group, *([Path(folder)] if folder else [])))}"
    if match := re.search(r"(?:Ambiguous value for argument|Sweep parameters) '([^=]+)=(.*?)'[\n ]", text):
        key, values = match.groups()
        return f"{key}={values} is a sweep: add -m to run every value, or set '{key}=[{values}]' for a list"
    if isinstance(error, OverrideParseException):
        return _unreadable(str(error.override))
    if match := re.search(r"override (\S+) : (.*)", text.splitlines()[0]):
        return f"cannot set {match[1]} ({match[2]})"
    if match := re.search(r"Error merging override ([^=]+)=", text):
        return f"{match[1]} has another form: set it like its default, which {command}.py --help shows"
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def _system(error: OSError) -> str:
    """A full or read-only disk, or a missing permission, as one sentence."""
    if error.errno in FORBIDDEN:
        return f"permission denied: {error.filename or 'a file of this run'} ({error.strerror}); change its permissions"
    where = f" {error.filename}" if error.filename else ""
    return (f"cannot write{where} ({error.strerror}); completed files are intact: free disk space, or set another "
            "output=DIR")  # fmt: skip


def _unreadable(word: str) -> str:
    """For an override that Hydra cannot parse: the same with the quotes that it needs, inside those of the shell."""
    key, equals, value = word.partition("=")
    if not equals:
        return f"{word!r} is not a setting: write KEY=VALUE, such as units=lemon or seed=1"
    if value.lstrip().startswith(("[", "{")):
        return (f"cannot parse {word!r}: write a list as [a,b] in quotes, and quote names with brackets, commas or "
                "signs once more: 'units=[volcano,\"bar & grill\"]'")  # fmt: skip
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f"cannot parse {word!r}: write '{key}=\"{quoted}\"', with both kinds of quotes"


def _unknown(key: str, command: str, words: Sequence[str]) -> str:
    """For an unknown key: the nearest existing one, or the group to choose first."""
    if any(word.partition("=")[0] in {"--config-name", "-cn"} for word in words) and key in _groups(command):
        return (f"cannot choose another {key} with a run's config.yaml: set single keys, or repeat the original "
                "command")  # fmt: skip
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
            return f"no {part} is chosen: set network@{part}=NAME as well"
        if not isinstance(node, Mapping):
            return f"there is no key {key!r}: {'.'.join(walked)} is a single value ({node!r}); set that"
    known = [*node, *([] if parent else _groups(command))]
    return f"there is no key {key!r}: {nearest(last, map(str, known))}"


def _defaults(command: str, chosen: Sequence[str] = ()) -> Any:
    """The command's config with these group members and all other defaults."""
    return OmegaConf.to_container(composed(command, chosen).config, resolve=False)


def _groups(command: str) -> list[str]:
    return [group for group in composed(command).choices if not group.startswith("hydra/")]
