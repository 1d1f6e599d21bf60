"""Describe the machine and measure its peak FLOP/s."""

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from dgn.base import precision

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
        "instructions": ", ".join(flag for flag in FLAGS if flag in flags) or "unknown",
        "memory, GiB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "torch": f"{torch.__version__}, {torch.get_num_threads()} threads",
        "Lightning": version("pytorch-lightning"),
        "trainer.precision=auto": precision.best(),
    }


def most(seconds: float, side: int) -> dict[str, dict[str, float]]:
    """FLOP/s in fp32 and bf16 of the shortest of many products of matrices of `side`, and of many convolutions.

    Two libraries compute them, and on some processors the one for convolutions alone uses all instructions.
    """
    rates = {}
    images, width = 4, side // 8
    with torch.no_grad():
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            a, b = (torch.randn(side, side).to(dtype) for _ in range(2))
            x = torch.randn(images, width, 32, 32).to(dtype).contiguous(memory_format=torch.channels_last)
            kernel = torch.randn(width, width, 3, 3).to(dtype)
            products = shortest(lambda a=a, b=b: a @ b, seconds / 2)
            convolutions = shortest(lambda x=x, kernel=kernel: F.conv2d(x, kernel, padding=1), seconds / 2)
            rates[name] = {
                "product": 2 * side**3 / products,
                "convolution": 2 * images * 32 * 32 * 9 * width**2 / convolutions,
            }
    return rates


def shortest(call: Any, seconds: float) -> float:
    """The shortest of its runs, in seconds, after one that does not count."""
    call()
    times: list[float] = []
    begun = time.perf_counter()
    while not times or time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)
