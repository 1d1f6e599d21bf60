"""Images in [0, 1] to one layer's activation, by the network's own contract."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from dgn import images
from dgn.errors import UserError
from dgn.networks.features import Features


def test_a_layer_is_read_before_or_after_its_nonlinearity(tiny, contract):
    x = torch.rand(2, 3, 16, 16)
    before = tiny.conv[0](x)
    torch.testing.assert_close(Features(tiny, "conv", contract, activated=False)(x), before)
    torch.testing.assert_close(Features(tiny, "conv", contract, activated=True)(x), tiny.conv[1](before))
    torch.testing.assert_close(Features(tiny, "out", contract, activated=False)(x), tiny(x))


def test_an_inplace_relu_does_not_change_what_was_read(contract):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 3))
    x = torch.rand(1, 3, 16, 16)
    found = Features(network, ["0", "2"], contract, activated=False).all(x)
    torch.testing.assert_close(found["0"], network[0](x))
    assert found["0"].min() < 0


def test_nothing_runs_past_the_layer_and_nothing_stays(tiny, contract):
    class Trap(nn.Module):
        def forward(self, x):
            raise AssertionError("ran past the layer")

    tiny.out = Trap()
    features = Features(tiny, "fc", contract, activated=True)
    for _ in range(3):
        assert features(torch.rand(1, 3, 16, 16)).shape == (1, 12)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in tiny.modules())


def test_the_network_is_frozen_and_stays_in_eval_mode(tiny, contract):
    features = Features(tiny.train(), "out", contract, activated=False)
    features.train()
    assert not any(module.training for module in tiny.modules())
    assert not any(p.requires_grad for p in tiny.parameters())
    x = torch.rand(1, 3, 16, 16, requires_grad=True)
    features(x).sum().backward()
    assert x.grad.abs().sum() > 0


def test_the_contract(contract):
    x = torch.rand(2, 3, 16, 16)
    caffe = replace(contract, mean=(104, 117, 123), scale=255, order="bgr")
    torch.testing.assert_close(caffe.normalise(x), images.to_caffe(x))
    gray = replace(contract, mean=[0.5], std=[0.5], order="gray")
    torch.testing.assert_close(gray.normalise(x), (x.mean(1, keepdim=True) - 0.5) / 0.5)
    assert contract.fitted(torch.rand(1, 3, 40, 40)).shape[-1] == 16
    crop = replace(contract, fit="crop")
    large = torch.rand(1, 3, 21, 21)
    assert torch.equal(crop.fitted(large), large[..., 2:18, 2:18])


def test_a_wrong_layer_gets_the_nearest_names(tiny, contract):
    with pytest.raises(UserError, match=r"no layer 'cnov'.*did you mean 'conv'"):
        Features(tiny, "cnov", contract, activated=False)


def test_float64_stays_float64(tiny, contract):
    assert Features(tiny.double(), "out", contract, False)(torch.rand(1, 3, 16, 16).double()).dtype == torch.float64


def test_the_output_is_recognised(tiny, contract):
    x = torch.rand(1, 3, 16, 16)
    for layer, expected in (("out", True), ("fc", False)):
        features = Features(tiny, layer, contract, activated=False)
        assert features.is_output(x, features(x)) is expected
