"""Tensors into safetensors files, and the rule for which of them become fp16."""

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
    """Write a safetensors file, whole or not at all."""
    with whole(path) as part:  # not save_file: its errors do not say that the disk is full
        part.write_bytes(serialise(dict(tensors), dict(metadata)))


def compact(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU that can be written: each by itself, contiguous, in fp16 where that loses nothing, see `half`.

    Tensors that share memory (tied weights, one module under two names) are each written whole.
    """
    return {name: half(value.detach()).cpu().clone(memory_format=torch.contiguous_format)
            for name, value in tensors.items()}  # fmt: skip


def half(value: Tensor) -> Tensor:
    """Floating-point numbers as fp16, unless one changes by more than a thousandth of the largest.

    So what overflows stays as it is, and what is inf or NaN, and tensors of numbers so small that fp16 has only zeros
    for them.
    """
    if value.dtype not in WIDE or not value.numel():
        return value
    narrow = value.half()
    loss = (narrow.to(value.dtype) - value).abs().max()
    return narrow if loss <= 1e-3 * value.abs().max() else value


def check_writable(state: Mapping[str, Any], name: str) -> None:
    """UserError if something in the state dict of the network `name` has no place in a safetensors file."""
    for key, value in state.items():
        try:
            serialise(compact({key: value.detach().flatten()[:1]}))
        except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"the weights of {name} cannot be written: {key} has no place in a safetensors file "
                            f"({first_line(error)}); keep it out of the state dict") from None  # fmt: skip
