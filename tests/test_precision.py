"""Which arithmetic is chosen."""

import pytest
import torch

from dgn import precision


@pytest.mark.parametrize(
    ("flags", "limit", "expected"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, None, "bf16-mixed"),
        ({"avx512_bf16": True}, None, "bf16-mixed"),
        ({"avx512_f": True}, None, "32-true"),
        ({}, None, "32-true"),
        ({"avx512_bf16": True}, "AVX2", "32-true"),
        ({"amx_bf16": True}, "AVX512_CORE_AMX", "bf16-mixed"),
    ],
)
def test_bf16_only_where_the_processor_has_it(monkeypatch, flags, limit, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags, raising=False)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    if limit:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert precision.best("cpu") == expected


def test_full():
    assert precision.full(torch.zeros(1, dtype=torch.bfloat16)).dtype == torch.float32
    assert precision.full(torch.zeros(1, dtype=torch.float64)).dtype == torch.float64
