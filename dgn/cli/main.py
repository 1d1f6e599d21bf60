"""`dgn COMMAND [ARGUMENTS]`: the entry point of all commands. A mistake prints one sentence to stderr; exit code 1.

Heavy imports wait until a command needs them, so `--help` and typing mistakes answer at once.
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
from dgn.base.errors import MissingFile, Stopped, UserError, nearest
from dgn.base.imports import include_current_folder
from dgn.base.threads import sleep_when_busy

COMMANDS = {  # name: module with `run(words)`, and what it does
    "synthesize": ("dgn.cli.run", "make images that maximise units of a network"),
    "search": ("dgn.cli.search", "search without a gradient, for what a function or a rig measures"),
    "train": ("dgn.cli.run", "train a generator or a small classifier, or evaluate a generator"),
    "networks": ("dgn.cli.networks", "list a network's layers (shapes, parameters, FLOPs) or its classes"),
    "bundle": ("dgn.cli.bundle", "show what a bundle (a trained generator's file) contains"),
    "data": ("dgn.cli.data", "shrink a data set once, or measure the data loader"),
    "measure": ("dgn.cli.measure", "measure finished runs: recognised, driven, natural, various, with intervals"),
    "paper": ("dgn.cli.paper", "settle the claims of the paper: docs/paper.md"),
    "report": ("dgn.cli.report", "rewrite the pages of runs and sweeps, or merge shards"),
    "app": ("dgn.cli.app", "explore in the browser: choose a unit, watch its picture form"),
    "dashboard": ("dgn.cli.dashboard", "write a W&B workspace that compares runs"),
    "benchmark": ("dgn.cli.benchmark", "measure the speed of this machine"),
}


def main(typed: Sequence[str] | None = None) -> None:
    """The installed command `dgn`, and `python -m dgn`; the arguments default to the process's own.

    Exit codes: 0 done, 1 a mistake, a failed sweep point or a full disk, 130 after Ctrl-C, 143 after SIGTERM.
    """
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


RESUMED = {"synthesize", "search", "train"}  # with resume=true
AGAIN = "; to continue, run the same command again"


def start(name: str, words: Sequence[str]) -> None:
    """Run one command with its arguments."""
    if name != "benchmark":  # it measures a quiet machine
        sleep_when_busy()
    module: Any = import_module(COMMANDS[name][0])
    if module.__name__ == "dgn.cli.run":
        module.run(name, words)
    else:
        module.run(words)


def usage() -> str:
    """The commands, one per line."""
    lines = [f"  {name:<12}{text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(["usage: dgn COMMAND [ARGUMENTS]", "", *lines, "",
                      "dgn COMMAND --help shows the arguments and settings of a command."])  # fmt: skip


@contextmanager
def door(command: str, words: Sequence[str]) -> Iterator[None]:
    """Handle the errors of all commands: mistakes become one sentence, bugs keep their traceback."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    if not ranks.first():
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115  # only the first rank prints
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:  # `… --help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Stopped as stopped:
        print(f"stopped: {stopped.what}{_hint(command, stopped.folder)}", file=sys.stderr)
        raise
    except Exception as error:
        explain(error, command, words)


def _hint(command: str, folder: str | None) -> str:
    """How to continue; without a folder a run had not begun, or is a sweep, whose points know where they were."""
    if command == "app":
        return ""  # the explorer has no rest
    return f"{AGAIN} with output={folder} resume=true" if folder and command in RESUMED else AGAIN


def stop(number: int, _: Any) -> None:
    """Handle a signal."""
    raise Stopped(number, "finished work is saved")


def makes(path: str) -> str | None:
    """The line of train.py that makes a file of the paper's claims; None for another file."""
    from dgn.paper import makes

    return makes.line(path)


def explain(error: Exception, command: str, words: Sequence[str]) -> NoReturn:
    """Exit with the error as one sentence, or re-raise it if it is a bug."""
    if isinstance(error, MissingFile) and (line := makes(error.path)):
        sys.exit(f"error: there is no {error.path}: make it by {line}")
    if isinstance(error, UserError):
        sys.exit(f"error: {error}")
    from dgn.settings import messages

    if not messages.meant_for_the_user(error):
        raise error
    sys.exit(f"error: {messages.sentence(error, command, words)}")
