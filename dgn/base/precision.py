"""Choose the precision by the processor's instructions, not by timing, so that runs are reproducible."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

CAST = {nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d}
BF16_LIMITS = {"AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX512_CORE_AMX", "AVX512_CORE_AMX_FP16"}


def best(device: str = "cpu") -> str:
    """Return "bf16-mixed" if the processor has bf16 instructions, else "32-true".

    Measured on four kinds of processor, against fp32: six times faster with AMX, twice as fast with AVX512-BF16, four
    times slower with plain AVX-512 and twenty times slower with AVX2, which emulate it.
    """
    if device == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    capabilities: dict = getattr(torch.cpu, "get_capabilities", dict)()
    native = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "DEFAULT").upper()  # a limit on what oneDNN may use
    return "bf16-mixed" if native and limit in {"ALL", "DEFAULT"} | BF16_LIMITS else "32-true"


def full(x: torch.Tensor) -> torch.Tensor:
    """Cast half precision to fp32; return fp32 and float64 unchanged."""
    return x.float() if x.dtype in {torch.bfloat16, torch.float16} else x


@contextmanager
def prepared(*modules: nn.Module) -> Iterator[None]:
    """Prepare frozen networks for many passes under autocast, and restore them afterwards.

    Weights of layers of the classes `CAST` are cast once instead of in every pass; the values are the same. Strided
    depthwise convolutions stay in fp32 on a CPU: oneDNN has no bf16 kernel for their gradient, which would take ten
    times as long.
    """
    layers = {layer for module in modules for layer in module.modules()}
    slow = {layer for layer in layers if _strided_depthwise(layer)}
    cast = {layer for layer in layers - slow if type(layer) in CAST}
    handles = [handle for layer in cast for handle in _swapping(layer)]
    handles += [handle for layer in slow for handle in _in_full(layer)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _strided_depthwise(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1 and max(layer.stride) > 1


def _in_full(layer: nn.Module) -> list[Any]:
    off: list[Any] = []

    def into(_: nn.Module, args: tuple) -> tuple | None:
        if args[0].device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return None
        off.append(torch.autocast("cpu", enabled=False))
        off[-1].__enter__()
        return (full(args[0]), *args[1:])

    def back(_: nn.Module, __: tuple, out: Any) -> Any:
        if not off:
            return None
        off.pop().__exit__(None, None, None)
        return None if out is None else out.to(torch.get_autocast_dtype("cpu"))

    return [layer.register_forward_pre_hook(into), layer.register_forward_hook(back, always_call=True)]


def _swapping(layer: nn.Module) -> list[Any]:
    parameters = {name: p for name, p in layer._parameters.items()
                  if p is not None and p.dtype is torch.float32 and not p.requires_grad}  # fmt: skip
    half: dict[str, nn.Parameter] = {}

    def into(*_: Any) -> None:
        device = next(layer.parameters()).device.type
        if not torch.is_autocast_enabled(device):
            return
        if not half:
            dtype = torch.get_autocast_dtype(device)
            half.update({name: nn.Parameter(p.to(dtype), requires_grad=False) for name, p in parameters.items()})
        layer._parameters.update(half)

    def back(*_: Any) -> None:
        layer._parameters.update(parameters)

    return [layer.register_forward_pre_hook(into), layer.register_forward_hook(back, always_call=True)]
