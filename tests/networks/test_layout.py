"""Channels-last where a network can take it, contiguous tensors where it cannot."""

import pytest
import torch
from torch import nn

from dgn.networks.features import Features
from dgn.networks.validate import check, initialise, noise, settle

LAST = torch.channels_last


class Views(nn.Module):
    """A convolution, then what `read` does with its map (N, 4, 8, 8), or with the image."""

    def __init__(self, read, features):
        super().__init__()
        self.conv, self.read, self.fc = nn.Conv2d(3, 4, 3, 2, 1), read, nn.Linear(features, 5)

    def forward(self, x):
        return self.fc(self.read(self.conv(x), x))


class OwnBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        return (2 * gradient.view(-1)).view(gradient.shape)


class Fourier(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3, 2, 1), nn.Linear(4, 5)
        self.weight = nn.Parameter(torch.randn(4, 8, 5, 2) * 0.1)

    def forward(self, x):
        x = torch.fft.rfft2(self.conv(x)) * torch.view_as_complex(self.weight)
        return self.fc(torch.fft.irfft2(x, s=(8, 8)).mean((2, 3)))


class Conv3d(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv3d(3, 4, (2, 8, 8), (2, 8, 8)), nn.Linear(4, 5)

    def forward(self, x):
        return self.fc(self.conv(torch.stack([x, x], 2)).flatten(2).mean(2))


CONTIGUOUS = {
    "map": lambda: Views(lambda y, x: y.view(-1, 256), 256),
    "image": lambda: Views(lambda y, x: x.view(x.size(0), -1), 768),
    "channels": lambda: Views(lambda y, x: y.view(-1, 1, 8, 8).view(len(x), -1), 256),
    "gradient": lambda: Views(lambda y, x: nn.functional.relu(OwnBackward.apply(y)).flatten(1), 256),
    "memory": lambda: Views(lambda y, x: y.as_strided((len(x), 4), (256, 64)), 4),
}
ANY = {"fourier": Fourier, "3d": Conv3d, "flatten": lambda: Views(lambda y, x: y.flatten(1), 256)}


@pytest.mark.parametrize("kind", [*CONTIGUOUS, *ANY])
def test_sound_networks_are_read_however_images_lie(contract, kind):
    torch.manual_seed(0)
    network = {**CONTIGUOUS, **ANY}[kind]()
    x = torch.rand(2, 3, 16, 16)
    expected = network(x)
    target = settle(Features(network, "output", contract, activated=False))
    assert target.channels_last == (kind in ANY)
    torch.testing.assert_close(target(x.contiguous(memory_format=LAST)), expected)
    torch.testing.assert_close(check(target, x.contiguous(memory_format=LAST)), {"output": expected})
    assert target.is_output(x.contiguous(memory_format=LAST), expected)


def test_what_cannot_be_channels_last_keeps_its_weights_and_an_ordinary_network_does_not(contract):
    for kind, last in (("map", False), ("flatten", True)):
        target = settle(Features({**CONTIGUOUS, **ANY}[kind](), "output", contract, activated=False))
        assert target.network.conv.weight.is_contiguous(memory_format=LAST) == last


def test_kinks_and_ties_do_not_cost_a_deep_network_its_speed(contract):
    torch.manual_seed(0)
    parts = [part for _ in range(8) for part in (nn.LazyConv2d(8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 1, 1))]
    network = nn.Sequential(*parts, nn.Flatten(), nn.LazyLinear(5))
    initialise(network, contract)
    assert settle(Features(network, "output", contract, activated=False)).channels_last


def test_the_trial_leaves_random_numbers_and_what_lies_behind_a_layer_alone(tiny, contract):
    tiny.out = nn.Linear(5, 3)  # does not take what the layers before it give
    state = torch.get_rng_state()
    target = settle(Features(nn.Sequential(nn.Dropout(), tiny), "1.conv", contract, activated=False))
    assert target.channels_last
    assert not target.is_output(noise(contract), target(noise(contract)).mean((2, 3)))
    assert torch.equal(torch.get_rng_state(), state)
