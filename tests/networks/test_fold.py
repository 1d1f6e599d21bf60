"""Folding changes the work, not the function."""

import torch
from torch import nn

from dgn.networks.caffenet import CaffeNet64
from dgn.networks.fold import fold


def test_a_folded_network_is_the_same_function():
    torch.manual_seed(0)
    network = CaffeNet64(classes=5).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    expected = network.eval()(x)
    names = list(dict(network.named_modules()))
    folded = fold(network)
    torch.testing.assert_close(folded(x), expected)
    assert list(dict(folded.named_modules())) == names
    assert not any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in folded.modules())


def test_a_layer_that_is_read_keeps_its_own_output():
    network = fold(CaffeNet64(classes=5), read=["conv1.main"])
    assert isinstance(network.conv1.norm, nn.BatchNorm2d)
    assert isinstance(network.conv2.norm, nn.Identity)
