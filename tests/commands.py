"""A command line run inside this process: as a process of its own would run it, without its seconds of start-up."""

import contextlib
import csv
import io
import logging
import os
import runpy
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

ROOT = Path(__file__).parent.parent
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(*words: object, cwd: Path = ROOT, code: int = 0) -> tuple[str, str]:
    """Run `python WORDS` in the folder `cwd`; what it printed, and what it complained of.

    The first word is a script, or `-m` and a module. Fails where the exit code is not `code`.
    """
    out, err = io.StringIO(), io.StringIO()
    with isolated(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        ended = _exit_code([str(word) for word in words])
    assert ended == code, err.getvalue() + out.getvalue()
    return out.getvalue(), err.getvalue()


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file by its header."""
    return list(csv.DictReader(path.read_text().splitlines()))


def _exit_code(words: list[str]) -> int:
    """Run the script or module as `__main__`; the exit code that Python would end with."""
    try:
        if words[0] == "-m":
            sys.argv = words[1:]
            warnings.filterwarnings(
                "ignore", ".* found in sys.modules after import", RuntimeWarning
            )  # imported by a test
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = words
            sys.path.insert(0, str(Path(words[0]).parent))
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    except Exception:
        traceback.print_exc()
        return 1
    return 0


@contextlib.contextmanager
def isolated(cwd: Path) -> Iterator[None]:
    """A block whose traces in this process are removed: Hydra's state, paths, environment, signals, logging, torch."""
    modules, path, argv, folder, environ = set(sys.modules), sys.path[:], sys.argv, Path.cwd(), dict(os.environ)
    handlers = [signal.getsignal(number) for number in SIGNALS]
    hydra, run_config = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    root = logging.getLogger()
    logs, level = root.handlers[:], root.level
    precision, threads, drawn = torch.get_float32_matmul_precision(), torch.get_num_threads(), torch.get_rng_state()
    GlobalHydra.instance().hydra = HydraConfig.instance().cfg = None
    os.chdir(cwd)
    sys.path[:] = [entry for entry in path if Path(entry).resolve() != folder]  # a script has its own folder instead
    try:
        with warnings.catch_warnings():
            yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environ)
        sys.path[:], sys.argv = path, argv
        for name in set(sys.modules) - modules:  # a user's own: the next folder may have another of this name
            if _is_below(sys.modules[name], cwd):
                del sys.modules[name]
        GlobalHydra.instance().hydra, HydraConfig.instance().cfg = hydra, run_config
        for number, handler in zip(SIGNALS, handlers, strict=True):
            signal.signal(number, handler)
        root.handlers[:], root.level = logs, level
        torch.set_float32_matmul_precision(precision)
        torch.set_num_threads(threads)
        torch.set_rng_state(drawn)


def _is_below(module: object, folder: Path) -> bool:
    """Whether a module was read from a folder that is not the project's."""
    file = getattr(module, "__file__", None)
    return folder != ROOT and file is not None and Path(file).is_relative_to(folder)
