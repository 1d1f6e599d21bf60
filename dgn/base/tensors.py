"""Writing safetensors files, and the rule for storing tensors as fp16."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save as serialise
from torch import Tensor

from dgn.base.errors import UserError, first_line
from dgn.base.files import whole

WIDE = (torch.float64, torch.float32, torch.bfloat16)


def save(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file atomically."""
    with whole(path) as part:  # not save_file: its errors hide a full disk
        part.write_bytes(serialise(dict(tensors), dict(metadata)))


def compact(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous copies on the CPU that safetensors can write, in fp16 if that is accurate enough, see `half`.

    Tensors that share memory (tied weights, one module under two names) are written separately.
    """
    return {name: half(value.detach()).cpu().clone(memory_format=torch.contiguous_format)
            for name, value in tensors.items()}  # fmt: skip


def half(value: Tensor) -> Tensor:
    """Cast floating-point numbers to fp16, unless one changes by more than a thousandth of the largest.

    So tensors that overflow, hold inf or NaN, or are so small that fp16 rounds them to zero stay unchanged.
    """
    if value.dtype not in WIDE or not value.numel():
        return value
    narrow = value.half()
    loss = (narrow.to(value.dtype) - value).abs().max()
    return narrow if loss <= 1e-3 * value.abs().max() else value


def check_writable(state: Mapping[str, Any], name: str) -> None:
    """UserError if an entry of the state dict of the network `name` cannot be stored in a safetensors file."""
    for key, value in state.items():
        try:
            serialise(compact({key: value.detach().flatten()[:1]}))
        except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"cannot save the weights of {name}: safetensors cannot store the entry {key} "
                            f"({first_line(error)}); remove it from the state dict") from None  # fmt: skip
