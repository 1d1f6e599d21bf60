"""`dgn COMMAND [WORDS]`: one door for all commands. A mistake is one sentence on stderr and exit code 1.

Nothing heavy is imported before a command needs it, so that `--help` and a typing mistake answer at once.
"""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from dgn.base import ranks
from dgn.base.errors import Stopped, UserError, nearest
from dgn.base.imports import include_current_folder

COMMANDS = {  # name: module with `run(words)`, and what it does
    "synthesize": ("dgn.cli.run", "make pictures of what units of a network want to see"),
    "train": ("dgn.cli.run", "train a generator, or a small classifier; measure a generator"),
    "networks": ("dgn.cli.networks", "list the layers of a network: shapes, parameters, FLOPs"),
    "bundle": ("dgn.cli.bundle", "show what a generator's file holds"),
    "data": ("dgn.cli.data", "shrink a data set once, or measure how fast it is read"),
    "report": ("dgn.cli.report", "write the pages of runs and sweeps again, or merge shards"),
    "app": ("dgn.cli.app", "the explorer in the browser: choose a unit, watch its picture"),
    "dashboard": ("dgn.cli.dashboard", "write the W&B workspace that compares runs"),
    "benchmark": ("dgn.cli.benchmark", "measure how fast this machine is"),
}


def main(typed: Sequence[str] | None = None) -> None:
    """The installed command `dgn`, and `python -m dgn`; the words are the process's own by default.

    Exit codes: 0 done, 1 a mistake, a failed sweep point or a full disk, 130 after Ctrl-C, 143 after SIGTERM.
    """
    # On shared cores OpenMP's waiting threads would spin: beside other work a run took three times as long. torch reads
    # it when it is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    include_current_folder()
    words = list(sys.argv[1:] if typed is None else typed)
    name = words[0] if words else "--help"
    with door(name, words[1:]):
        if name in {"-h", "--help", "help"}:
            print(usage())
        elif name not in COMMANDS:
            raise UserError(f"there is no command {name!r}: {nearest(name, COMMANDS)}")
        else:
            start(name, words[1:])


def synthesize() -> None:
    """The script `synthesize.py` and the installed command `dgn-synthesize`."""
    main(["synthesize", *sys.argv[1:]])


def train() -> None:
    """The script `train.py` and the installed command `dgn-train`."""
    main(["train", *sys.argv[1:]])


def start(name: str, words: Sequence[str]) -> None:
    """Run one command on its words."""
    module: Any = import_module(COMMANDS[name][0])
    if module.__name__ == "dgn.cli.run":
        module.run(name, words)
    else:
        module.run(words)


def usage() -> str:
    """The commands, one a line."""
    lines = [f"  {name:<12}{text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(["dgn COMMAND [WORDS]: what does a neuron want to see?", "", *lines, "",
                      "dgn COMMAND --help says what a command takes."])  # fmt: skip


@contextmanager
def door(command: str, words: Sequence[str]) -> Iterator[None]:
    """Where every error of every command arrives: mistakes become a sentence, bugs keep their traceback."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    if not ranks.first():
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115  # the first rank speaks for all
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:  # `… --help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Stopped as stopped:
        hint = (
            "the same line with resume=true goes on" if command in {"synthesize", "train"} else "the same line goes on"
        )
        print(f"stopped: {stopped.what}; {hint}", file=sys.stderr)
        raise
    except Exception as error:
        explain(error, command, words)


def stop(number: int, _: Any) -> None:
    """What a signal does."""
    raise Stopped(number, "what is finished is kept")


def explain(error: Exception, command: str, words: Sequence[str]) -> NoReturn:
    """Leave with the error as a sentence, or raise it again where it is no mistake of the user's."""
    if isinstance(error, UserError):
        sys.exit(f"error: {error}")
    from dgn.settings import messages

    if not messages.meant_for_the_user(error):
        raise error
    sys.exit(f"error: {messages.sentence(error, command, words)}")
