"""Errors that end a run without being bugs: a mistake of the user, or a stop on request."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """A mistake in the request: one sentence that says what is wrong and what to set.

    Commands print it and exit with code 1. Every other exception is a bug and keeps its traceback.
    """


class MissingFile(UserError):
    """A file of weights or a bundle that is not there; `path` is what was asked for."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message)
        self.path = path


class Stopped(SystemExit):
    """A signal ended the run, and the files needed to resume are on disk. Exit code: 128 + signal, as in a shell.

    `folder` is the one that the run writes to, once `dgn.base.files.claim` has seen it.
    """

    def __init__(self, signum: int, what: str) -> None:
        super().__init__(128 + signum)
        self.what = what
        self.folder: str | None = None


def first_line(error: BaseException) -> str:
    """The first line of a library's error message; the name of its class if the message is empty."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def nearest(word: str, names: Iterable[str], most: int = 3) -> str:
    """The end of a sentence: "did you mean 'a' or 'b'?", or the first 12 names if none is similar to `word`."""
    names = list(names)
    lowered = {name.lower(): name for name in names}
    close = [lowered[m] for m in get_close_matches(word.lower(), lowered, n=most, cutoff=0.55)]
    if close:
        return "did you mean " + " or ".join(repr(name) for name in close) + "?"
    more = f", … ({len(names)} in total)" if len(names) > 12 else ""
    return "choose from " + ", ".join(names[:12]) + more
