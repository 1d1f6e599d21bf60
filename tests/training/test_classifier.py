"""Training a classifier: the sizes of its images."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from dgn.base.errors import UserError
from dgn.training.classifier import Classifier

SETTINGS = {"classes": ["a", "b"], "iterations": 10, "peak_lr": 0.1, "warm_up": 0.1, "momentum": 0.9,
            "weight_decay": 0, "label_smoothing": 0}  # fmt: skip


class Sees(nn.Module):
    """A network for any size that notes the sides of what it is shown."""

    def __init__(self):
        super().__init__()
        self.sides, self.out = [], nn.Linear(3, 2)

    def forward(self, x):
        self.sides.append(x.shape[-1])
        return self.out(x.mean((2, 3)))


def test_images_grow_to_the_networks_own_side(contract):
    module = Classifier(network=Sees(), contract=contract, sizes={0.0: 0.5, 0.3: 0.75, 0.6: 1}, **SETTINGS)
    sides = []
    for module.iteration in range(10):
        sides.append(module.size())
    assert sides == [8] * 3 + [12] * 3 + [16] * 4


def test_it_is_measured_at_the_networks_own_side(contract):
    network = Sees()
    module = Classifier(network=network, contract=replace(contract, fit="crop"), sizes={0.0: 1}, **SETTINGS)
    for side in (16, 40, 8):
        found = module.evaluate([(torch.rand(4, 3, side, side), torch.zeros(4, dtype=torch.long), torch.arange(4))])
        assert network.sides[-1] == 16 and found.keys() == {"top1", "top5"}


def test_the_shares_of_first_and_of_five_answers(contract):
    scores = torch.tensor([[9.0, 8, 7, 6, 5, 4], [1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1], [0, 1, 0, 0, 0, 0]])
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 6))
    module = Classifier(network=network, contract=contract, sizes={0.0: 1}, **SETTINGS | {"classes": list("abcdef")})
    module.forward = lambda x: scores[: len(x)] if len(x) == 3 else scores[3:]
    first, second = torch.tensor([0, 0, 4]), torch.tensor([1])  # first, sixth, fifth; first
    batches = [(torch.rand(len(labels), 3, 16, 16), labels, labels) for labels in (first, second)]
    assert module.evaluate(batches) == {"top1": 50, "top5": 75}


def test_a_network_for_one_size_says_what_to_type(contract):
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 2))
    with pytest.raises(UserError, match=r"takes no images of 8 px: type 'module.sizes=\{0.0:1,0.5:1\}'"):
        Classifier(network=network, contract=contract, sizes={0.0: 0.5, 0.5: 1}, **SETTINGS)
    Classifier(network=network, contract=contract, sizes={0.0: 1, 0.5: 1}, **SETTINGS)


class Viewed(nn.Module):
    """It takes contiguous tensors alone; its norm keeps statistics, and its train() returns nothing."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.out = nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.Linear(256, 2)

    def train(self, mode=True):
        super().train(mode)

    def forward(self, x):
        return self.out(nn.functional.dropout(self.norm(self.conv(x)), training=self.training).view(-1, 256))


def test_networks_of_contiguous_tensors_are_trained(contract):
    images = torch.rand(2, 3, 16, 16).contiguous(memory_format=torch.channels_last)
    for network, last in ((Viewed(), False), (nn.Sequential(nn.Conv2d(3, 2, 16), nn.Flatten()), True)):
        state = torch.get_rng_state()
        module = Classifier(network=network, contract=contract, sizes={0.0: 1}, **SETTINGS)
        assert (module.channels_last, network.training) == (last, True)
        assert torch.equal(torch.get_rng_state(), state)
        module(images).sum().backward()


def test_the_trial_does_not_move_a_networks_statistics(contract):
    network = Viewed()
    Classifier(network=network, contract=contract, sizes={0.0: 1}, **SETTINGS)
    assert not network.norm.running_mean.any() and not network.norm.num_batches_tracked
