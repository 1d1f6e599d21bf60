"""Which arithmetic is chosen."""

import pytest
import torch
from torch import nn

from dgn.base import precision


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


def test_weights_cast_once_are_what_autocast_casts():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ConvTranspose2d(4, 4, 2), nn.Flatten(),
                            nn.Linear(64, 2))  # fmt: skip
    network.eval().requires_grad_(False)
    found = [(parameter, parameter.clone()) for parameter in network.parameters()]
    x = torch.rand(2, 3, 5, 5)
    full = network(x)
    with torch.autocast("cpu", torch.bfloat16):
        expected = network(x)
    with precision.prepared(network):
        with torch.autocast("cpu", torch.bfloat16):
            first, second = network(x), network(x)
        assert torch.equal(network(x), full)  # without autocast they are in full
    assert torch.equal(first, expected) and torch.equal(second, expected) and first.dtype == torch.bfloat16
    for parameter, (same, value) in zip(network.parameters(), found, strict=True):
        assert parameter is same and torch.equal(parameter, value)
    assert not network[0]._forward_hooks and not network[0]._forward_pre_hooks


def test_frozen_weights_are_cast_in_the_first_pass_only():
    layer = nn.Linear(4, 4).requires_grad_(False)
    with precision.prepared(layer), torch.autocast("cpu", torch.bfloat16):
        before = layer(torch.ones(1, 4))
        with torch.no_grad():
            layer.weight.zero_()  # a second cast would see it
        assert torch.equal(layer(torch.ones(1, 4)), before)


def test_trained_weights_are_left_to_autocast():
    layer = nn.Linear(4, 4)
    with precision.prepared(layer), torch.autocast("cpu", torch.bfloat16):
        layer(torch.ones(1, 4)).sum().backward()
    assert layer.weight.grad is not None and layer.weight.grad.dtype == torch.float32


def test_strided_depthwise_convolutions_stay_in_fp32_under_autocast():
    layer = nn.Conv2d(4, 4, 3, stride=2, groups=4).requires_grad_(False)
    x = torch.rand(2, 4, 9, 9).bfloat16().requires_grad_()
    with precision.prepared(layer), torch.autocast("cpu", torch.bfloat16):
        out = layer(x)
        with pytest.raises(RuntimeError):
            layer(x[:, :2])  # a pass that fails leaves autocast on
        assert torch.is_autocast_enabled("cpu")
    assert out.dtype == torch.bfloat16 and torch.equal(out, layer(x.float()).bfloat16())
    out.float().sum().backward()
    assert x.grad.dtype == torch.bfloat16 and x.grad.abs().sum() > 0
    assert not layer._forward_hooks and not layer._forward_pre_hooks
