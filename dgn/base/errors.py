"""What ends a run without being a bug: a user's mistake, and a user's wish."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """A mistake in what was asked for: one sentence that says what is wrong and what to type.

    The two scripts print it and leave with exit code 1; every other exception is a bug and keeps its traceback.
    """


class Stopped(SystemExit):
    """A signal asked the run to end, and what it needs to go on is on disk; exit code 128 + signal, as in a shell."""

    def __init__(self, signum: int, what: str) -> None:
        super().__init__(128 + signum)
        self.what = what


def first_line(error: BaseException) -> str:
    """What an error of a library says, in a line; its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def nearest(word: str, names: Iterable[str], most: int = 3) -> str:
    """The end of a sentence: "did you mean 'a' or 'b'?", or the first few names where none is like `word`."""
    names = list(names)
    lowered = {name.lower(): name for name in names}
    close = [lowered[m] for m in get_close_matches(word.lower(), lowered, n=most, cutoff=0.55)]
    if close:
        return "did you mean " + " or ".join(repr(name) for name in close) + "?"
    more = f" … ({len(names)} in all)" if len(names) > 12 else ""
    return "there are: " + ", ".join(names[:12]) + more
