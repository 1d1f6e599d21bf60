"""What a judge sees in images: the ranks that judges give, and the inputs of its last layer."""

import math

import pytest
import torch
from torch import nn

from dgn.base.errors import UserError
from dgn.evaluation.judge import Judge
from dgn.measures.look import Eye, pooled
from dgn.networks.features import OUTPUT, Features
from tests.measures.conftest import CLASSES, CPU, make_network


class Head(nn.Module):
    """A map, a head of 1 × 1 convolutions as SqueezeNet has it, and a layer that never runs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head, self.unused = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 7, 1), nn.Linear(2, 2)
        self.norm = nn.BatchNorm2d(7)

    def forward(self, x):
        return self.norm(self.head(torch.relu(self.body(x)))).mean((2, 3))


def eye_of(network, contract):
    return Eye(Judge(Features(network, OUTPUT, contract, activated=True), CLASSES, "net"), CPU)


def test_ranks_are_those_that_the_judge_gives(contract):
    judge = Judge(make_network(contract), CLASSES, "tiny")
    x, wanted = torch.rand(6, 3, 20, 20), ["cup", None, "Apple", "unknown", "fox", "gong"]
    seen = Eye(judge, CPU).look([(x[:4], wanted[:4], wanted[:4]), (x[4:], wanted[4:], wanted[4:])])
    assert [None if math.isnan(rank) else rank for rank in seen.ranks] == judge.ranks(x, wanted)
    assert seen.classes == wanted


def test_features_are_the_inputs_of_the_last_layer_with_weights_averaged_over_positions(contract):
    network = Head().eval()
    eye = eye_of(network, contract)
    assert repr(eye) == "net:head"
    x = torch.randint(0, 256, (3, 3, 16, 16)) / 255
    seen = eye.look([(x, ["cup"] * 3, ["cup"] * 3)])
    assert torch.allclose(seen.features, torch.relu(network.body(x)).mean((2, 3)), atol=1e-6)
    assert not network.head._forward_pre_hooks


@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 3, 3), (2, 9, 4), (2, 3, 3, 4)])
def test_maps_and_tokens_are_averaged(shape):
    assert pooled(torch.rand(shape)).shape == (2, 4)


def test_one_image_of_a_network_that_wants_two_and_images_of_any_size_and_one_channel(contract):
    eye = eye_of(Head(), contract)
    eye.judge.network.least = 2
    assert eye.look([(torch.rand(1, 1, 40, 40), ["cup"], ["cup"])]).features.shape == (1, 5)


def test_a_judge_without_layers_of_weights_is_refused(contract):
    class Nothing(nn.Module):
        def forward(self, x):
            return x.mean((2, 3)).repeat(1, 3)[:, :7]

    with pytest.raises(UserError, match=r"runs no linear or convolutional layer.*set network@judge=ANOTHER"):
        eye_of(Nothing(), contract)
