"""Which of several processes this is, from the environment, before torch is imported."""

import os

NAMES = ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK")  # of torchrun, Slurm, and Lightning's own launcher


def first() -> bool:
    """Whether this process is alone or the first of several: the one that prints and writes."""
    return not any(os.environ.get(name, "0").strip() not in {"", "0"} for name in NAMES)
