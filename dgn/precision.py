"""Which arithmetic pays on this processor, decided by timing it: flags lie about emulation."""

import time
from functools import cache

import torch
from torch import nn


@cache
def best(device: str = "cpu") -> str:
    """"bf16-mixed" where a convolution's forward and backward is at least a fifth faster in bf16, else "32-true".

    Some milliseconds, once a process. bf16 is worth six times on processors with AMX and costs four to twenty times
    on those that emulate it.
    """
    if device == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    seconds = {dtype: _seconds(dtype) for dtype in (torch.float32, torch.bfloat16)}
    return "bf16-mixed" if seconds[torch.bfloat16] < 0.8 * seconds[torch.float32] else "32-true"


def _seconds(dtype: torch.dtype) -> float:
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        layer = nn.Conv2d(64, 64, 3, padding=1).to(dtype).to(memory_format=torch.channels_last)
        x = torch.zeros(4, 64, 16, 16, dtype=dtype).to(memory_format=torch.channels_last).requires_grad_()
        times = []
        for _ in range(4):
            start = time.perf_counter()
            layer(x).sum().backward()
            times.append(time.perf_counter() - start)
    return min(times)
