"""Files on the Hugging Face hub, `hf://OWNER/NAME/FILE[@REVISION]`, through its library, cache and offline mode."""

import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from dgn.base.errors import UserError, first_line

SCHEME = "hf://"
PORTS = {"http": 80, "https": 443}
PATIENCE = 10  # seconds for a connection
REPEATED = 60  # seconds in which a name that failed is not asked for again: a run asks for each of its files often
_failed: dict[str, tuple[float, UserError]] = {}


@dataclass(frozen=True)
class Name:
    """A place on the hub: `repository` as OWNER/NAME, `file` in it and `revision`, None for the newest."""

    repository: str
    file: str | None
    revision: str | None

    @classmethod
    def of(cls, text: str) -> "Name":
        """From `hf://OWNER/NAME[/FILE][@REVISION]`; the revision may also follow NAME, as the hub's own tools write it.

        UserError for another text.
        """
        match = re.fullmatch(r"hf://([^/@]+/[^/@]+)(?:@([^/]+))?(?:/([^@]+?))?(?:@(.+))?", text)
        if not match or (match[2] and match[4]):
            raise UserError(f"{text!r} is no name of a file on the hub: write hf://OWNER/NAME/FILE or "
                            "hf://OWNER/NAME/FILE@REVISION")  # fmt: skip
        return cls(match[1], match[3], match[2] or match[4])


def is_name(text: str) -> bool:
    """Whether a text names a place on the hub rather than a path."""
    return text.startswith(SCHEME)


def fetch(text: str) -> Path:
    """The file of this name in the hub's cache, downloaded if a newer one is on the hub; asked for once a process.

    Without a network, or with HF_HUB_OFFLINE=1, the cached file. UserError where there is none, and for a name, file,
    revision or repository that does not exist or may not be read.
    """
    if text in _failed and time.monotonic() - _failed[text][0] < REPEATED:
        raise _failed[text][1]
    try:
        return _fetched(text)
    except UserError as error:
        _failed[text] = time.monotonic(), error
        raise


@cache
def _fetched(text: str) -> Path:
    name = Name.of(text)
    if name.file is None:
        raise UserError(f"{text!r} names no file: write {text.partition('@')[0].rstrip('/')}/FILE")
    with explained(name) as hub:
        why = None if hub.constants.is_offline_mode() else unreachable(hub.constants.ENDPOINT)
        try:
            return Path(hub.hf_hub_download(name.repository, name.file, revision=name.revision,
                                            local_files_only=why is not None))  # fmt: skip
        except hub.errors.LocalEntryNotFoundError as error:
            raise error from (why or error.__cause__)


def unreachable(address: str) -> OSError | None:
    """Why the host of an address cannot be reached; None if it can, or if a proxy knows the way.

    The hub's own library would try again for half a minute, in silence.
    """
    if getproxies():
        return None
    url = urlsplit(address)
    try:
        with socket.create_connection((str(url.hostname), url.port or PORTS.get(url.scheme, 443)), PATIENCE):
            return None
    except OSError as error:
        return error


def push(name: Name, files: Mapping[str, Path | bytes], message: str, private: bool = False) -> str:
    """Upload files by their names in a repository, which is made if there is none, as one commit; returns its URL.

    UserError without a log-in or the right to write.
    """
    with explained(name) as hub:
        api = hub.HfApi()
        api.create_repo(name.repository, private=private or None, exist_ok=True)
        operations = [hub.CommitOperationAdd(inside, content) for inside, content in files.items()]
        return str(api.create_commit(name.repository, operations, commit_message=message).commit_url)


def has(name: Name, file: str) -> bool:
    """Whether a repository exists and has a file of this name."""
    with explained(name) as hub:
        return bool(hub.HfApi().file_exists(name.repository, file))


@contextmanager
def explained(name: Name) -> Iterator[Any]:
    """The library, whose errors in this block become one sentence. UserError if it is not installed."""
    try:
        import huggingface_hub as hub
        from huggingface_hub import errors
        from huggingface_hub.constants import is_offline_mode
    except ImportError:
        raise UserError(f"{SCHEME} needs the hub's library: install it by pip install huggingface_hub") from None
    where = f"{name.repository} on the hub"
    log_in = "log in by hf auth login"
    try:
        yield hub
    except errors.GatedRepoError:
        raise UserError(
            f"{where} asks for consent first: give it on the page of the repository, and {log_in}"
        ) from None
    except errors.RepositoryNotFoundError:
        raise UserError(f"there is no {where}, or it is private: check the name, or {log_in}") from None
    except errors.RevisionNotFoundError:
        raise UserError(
            f"{where} has no revision {name.revision!r}: set @REVISION to a branch, tag or commit"
        ) from None
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError) as error:
        missing = f"{name.file or 'it'} of {where} is not in the cache, and"
        if is_offline_mode():
            raise UserError(f"{missing} HF_HUB_OFFLINE forbids to ask the hub: unset HF_HUB_OFFLINE, or set a file of "
                            "your own") from None  # fmt: skip
        raise UserError(f"{missing} the hub cannot be reached ({first_line(error.__cause__ or error)}): check the "
                        "network, or set a file of your own") from None  # fmt: skip
    except errors.EntryNotFoundError:
        raise UserError(f"{where} has no file {name.file}: check the name") from None
    except errors.HFValidationError as error:
        raise UserError(
            f"{name.repository!r} is no name of a repository ({first_line(error)}): write OWNER/NAME"
        ) from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        advice = f"{log_in}, with the right to write" if status in {401, 403} else "try again later"
        raise UserError(f"the hub refused {name.repository} (HTTP {status}): {advice}") from None
    # its HTTP library's errors, and OSError for a full disk; a failed upload is a RuntimeError with one of them
    except (*errors.HfHubHTTPError.__bases__, RuntimeError) as error:  # type: ignore[misc]
        said = first_line(error.__cause__ or error)
        raise UserError(f"cannot exchange files with {where} ({said}): mend that and try again") from None
