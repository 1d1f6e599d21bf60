"""One measurement: a function, run in its own process so that its peak memory can be measured."""

import io
import resource
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """What is measured.

    Attributes:
        what: for the progress bar.
        function: "module:name", imported where it is run.
        args: plain data.
    """

    what: str
    function: str
    args: Mapping[str, Any]


def here(job: Job) -> dict[str, Any]:
    """Run a job in this process; what it prints on the way is swallowed. Its `peak` is this process's, MiB."""
    module, _, name = job.function.partition(":")
    with redirect_stdout(io.StringIO()):
        result = getattr(import_module(module), name)(**job.args)
    return result | {"peak": peak()}


def apart(job: Job) -> dict[str, Any]:
    """Run a job in a process that ends with it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(here, job).result()


def peak() -> float:
    """The most memory that this process has had, MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage counts what the parent had when it forked
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)
