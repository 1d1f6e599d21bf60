"""A target that cannot be climbed is refused before anything runs."""

import pytest
import torch
from torch import nn

from dgn.base.errors import UserError
from dgn.networks.features import Features
from dgn.networks.summary import layers
from dgn.networks.validate import check

IMAGE = torch.rand(1, 3, 16, 16)


def test_a_sound_target_passes(tiny, contract):
    assert check(Features(tiny, "out", contract, False), IMAGE).shape == (1, 7)


def broken(kind: str, features: Features) -> None:
    if kind == "training":
        features.network.fc.training = True
    elif kind == "trainable":
        next(features.network.parameters()).requires_grad_(True)
    elif kind == "nan":
        features.network.out.bias.fill_(float("nan"))
    elif kind == "detached":
        features.network.pool.register_forward_hook(lambda _m, _a, out: out.detach())
    elif kind == "flat":
        features.network.fc[1].weight.zero_()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("training", r"\.eval\(\)"),
        ("trainable", "requires_grad_"),
        ("nan", "NaN or inf"),
        ("detached", "no gradient reaches"),
        ("flat", "no usable gradient"),
    ],
)
def test_a_broken_target_is_named(tiny, contract, kind, words):
    features = Features(tiny, "out", contract, False)
    broken(kind, features)
    with pytest.raises(UserError, match=words):
        check(features, IMAGE)


def test_tokens_and_what_sums_to_one_pass(contract):
    network = nn.Sequential(nn.Flatten(2), nn.Linear(256, 4), nn.LayerNorm(4), nn.Flatten(), nn.Softmax(1)).double()
    assert check(Features(network, "2", contract, False), IMAGE.double()).shape == (1, 3, 4)
    assert check(Features(network, "4", contract, True), IMAGE.double()).shape == (1, 12)


def test_a_layer_of_another_rank_is_refused(contract):
    network = nn.Sequential(nn.Unflatten(1, (3, 1)), nn.Flatten(0, 1))
    for layer in ("0", "1"):
        with pytest.raises(UserError, match="choose one that gives"):
            check(Features(network, layer, contract, False), IMAGE)


def test_a_contract_that_does_not_fit_is_named(contract):
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 5))
    with pytest.raises(UserError, match=r"does not take an input of \(1, 3, 16, 16\) .*type target.input.size="):
        check(Features(network, "1", contract, False), IMAGE)
    with pytest.raises(UserError, match=r"type target\.input\.size="):
        layers(network, contract)
