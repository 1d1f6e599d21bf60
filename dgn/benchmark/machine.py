"""The machine: what it is, and the most that it can compute."""

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from dgn import precision

FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "neon", "sve", "bf16")  # that matter here, as Linux names them


def describe() -> dict[str, Any]:
    """Processor, cores, versions and what is chosen by itself."""
    path = Path("/proc/cpuinfo")
    facts = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line) if path.exists() else {}
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    flags = facts.get("flags", facts.get("Features", "")).split()
    return {
        "processor": facts.get("model name") or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "instructions": ", ".join(flag for flag in FLAGS if flag in flags) or "not known",
        "memory, GiB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "torch": f"{torch.__version__}, {torch.get_num_threads()} threads",
        "Lightning": version("pytorch-lightning"),
        "precision=auto is": precision.best(),
    }


def most(seconds: float, side: int) -> dict[str, float]:
    """FLOP/s of products of square matrices in fp32 and bf16: the best of all in `seconds` each.

    A product goes to one library and a 1 × 1 convolution, the same product, to another; the faster one counts.
    """
    found = {}
    with torch.no_grad():
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            a, b = (torch.randn(side, side).to(dtype) for _ in range(2))
            image = a.t().reshape(1, side, side, 1).contiguous(memory_format=torch.channels_last)
            kernel = b.view(side, side, 1, 1)
            products = (lambda a=a, b=b: a @ b, lambda x=image, w=kernel: F.conv2d(x, w))
            best = min(shortest(product, seconds / 2) for product in products)
            found[name] = 2 * side**3 / best
    return found


def shortest(call: Any, seconds: float) -> float:
    """The shortest of its runs, in seconds, after one that does not count."""
    call()
    found: list[float] = []
    begun = time.perf_counter()
    while not found or time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return min(found)
