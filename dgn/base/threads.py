"""How idle compute threads wait: spinning is faster on a quiet machine, sleeping where other processes compute."""

import os
import time
from collections.abc import MutableMapping
from pathlib import Path

STAT = Path("/proc/stat")
BUSY = 0.15  # share of the cores that others use; above it a thread that spins takes time that they need, and they its


def sleep_when_busy(environ: MutableMapping[str, str] = os.environ, seconds: float = 0.05) -> None:
    """Set OMP_WAIT_POLICY=passive if other processes use the cores now. torch reads it on import.

    A value that is set already wins. Systems without /proc/stat keep OpenMP's default.
    """
    if environ.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} or not STAT.exists():
        return
    before = ticks()
    time.sleep(seconds)
    idle, total = (now - then for now, then in zip(ticks(), before, strict=True))
    if total and 1 - idle / total > BUSY:
        environ["OMP_WAIT_POLICY"] = "passive"


def ticks() -> tuple[int, int]:
    """Ticks of all cores since boot: idle ones (the 4th and 5th column of the first line, idle and iowait), and all."""
    counts = [int(word) for word in STAT.read_text().partition("\n")[0].split()[1:9]]
    return sum(counts[3:5]), sum(counts)
