"""Receptive fields: against the arithmetic of kernels and strides, and where weights decide."""

import pytest
import torch
from torch import nn

from dgn.networks.caffenet import CaffeNet64
from dgn.networks.receptive_field import fields, table
from tests.commands import run


@pytest.fixture(scope="module")
def caffenet64():
    torch.manual_seed(0)
    return CaffeNet64(classes=7)


def arithmetic(*layers):
    """The field of kernels and strides, the first layer first."""
    field, jump = 1, 1
    for kernel, stride in layers:
        field, jump = field + (kernel - 1) * jump, jump * stride
    return field


def test_it_is_the_arithmetic_of_kernels_and_strides(caffenet64, contract):
    from dataclasses import replace

    found = {
        one.layer: one for one in fields(caffenet64, replace(contract, size=64), ["conv1", "conv2", "conv3", "conv5"])
    }
    conv1, conv2 = [(5, 2)], [(5, 2), (3, 2), (3, 1)]
    conv3 = [*conv2, (3, 2), (3, 1)]
    assert found["conv1"].theoretical == arithmetic(*conv1) == 5
    assert found["conv2"].theoretical == arithmetic(*conv2) == 17
    assert found["conv3"].theoretical == arithmetic(*conv3) == 41
    assert found["conv5"].theoretical == 64 < arithmetic(*conv3, (3, 1), (3, 1)), "no more than the picture"
    assert found["conv1"].rows[0] == (0, 2) and found["conv1"].columns[5] == (8, 12)
    assert all(1 <= one.effective <= one.theoretical for one in found.values())
    assert caffenet64.training and all(parameter.requires_grad for parameter in caffenet64.parameters())


class Skip(nn.Module):
    """A wide branch beside a narrow one."""

    def __init__(self):
        super().__init__()
        self.narrow, self.wide = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 5, padding=2)
        nn.init.zeros_(self.wide.weight)

    def forward(self, x):
        return self.narrow(x) + self.wide(x)


def test_the_widest_way_counts_in_theory_and_the_weights_in_effect(contract):
    (found,) = fields(Skip(), contract, ["output"])
    assert (found.theoretical, found.effective) == (5, 1)


def test_a_gate_of_the_whole_picture_sees_all_of_it(contract):
    class Gate(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.gate = nn.Conv2d(3, 4, 3), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Sigmoid())

        def forward(self, x):
            x = self.conv(x)
            return x * self.gate(x)

    conv, output = fields(Gate(), contract, ["conv", "output"])
    assert (conv.theoretical, output.theoretical) == (3, 16)
    assert "16 (all)" in table([conv, output], 16) and "3" in table([conv], 16).split()


@pytest.mark.slow
def test_the_command_lists_the_maps_of_a_network():
    out, _ = run("-m", "dgn", "networks", "caffenet64", "--receptive-field")
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines()[1:]}
    assert lines["conv1"][0] == "5" and lines["conv3"][0] == "41" and "fc6" not in lines
