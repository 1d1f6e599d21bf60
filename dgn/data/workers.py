"""The number of processes that read images."""

import os

from dgn.base.errors import UserError

MOST = 8  # more only wait: eight decode several thousand images a second


def count(setting: int | str, auto: int, key: str = "data.workers") -> int:
    """A number of processes as it is set: `auto` stands for the number of that name."""
    if setting == "auto":
        return auto
    if not isinstance(setting, int) or setting < 0:
        raise UserError(f"{key}={setting} is not a number of processes: set {key}=2, or auto")
    return setting


def readers(share: int = 1) -> int:
    """How many processes read for one that trains, where `share` such divide this machine's CPUs among them."""
    return max(1, min(MOST, cpus() // share))


def cpus() -> int:
    """The CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
