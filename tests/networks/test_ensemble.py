"""Several networks as one: each sees its own input, scores are standardised, layers keep their values."""

import pytest
import torch
from torch import nn

from dgn.base.errors import UserError
from dgn.networks.ensemble import Ensemble, Member, shared
from dgn.networks.features import Features, Preprocessing


def contract(size, **changes):
    plain = {"mean": [0.5], "std": [0.25], "scale": 1, "channels": 3, "order": "rgb", "interpolation": "bilinear",
             "fit": "resize"}  # fmt: skip
    return Preprocessing(size=size, **(plain | changes))


def network(size, classes, seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * (size - 2) ** 2, classes)).eval()


@pytest.fixture
def members():
    return {
        "a": Member(network(8, 3, 0), contract(8), ["cup", "dog", "egg"]),
        "b": Member(network(12, 4, 1), contract(12, order="bgr", scale=255), ["egg", "fox", "cup", "gong"]),
    }


def alone(member, layer, x):
    return Features(member.network, layer, member.contract, False)(x)


@pytest.mark.parametrize("combine", ["mean", "minimum"])
def test_scores_are_standardised_and_combined_by_name(members, combine):
    ensemble, x = Ensemble(members, combine), torch.rand(5, 3, 10, 10)
    assert ensemble.classes == ["cup", "egg"]
    standard = []
    for member, columns in zip(members.values(), ([0, 2], [2, 0]), strict=True):
        scores = alone(member, "3", x).double()
        standard.append(
            ((scores - scores.mean(1, keepdim=True)) / scores.std(1, keepdim=True, correction=0))[:, columns]
        )
    expected = sum(standard) / 2 if combine == "mean" else torch.minimum(*standard)
    torch.testing.assert_close(ensemble(x), expected.float(), rtol=1e-4, atol=1e-4)


def test_a_members_layer_is_what_the_network_alone_has(members):
    plain = contract(10, mean=[0], std=[1], fit="none")
    features = Features(Ensemble(members, "mean"), ["a.0", "b.3", "a"], plain, False)
    x = torch.rand(2, 3, 10, 10)
    found = features.all(x)
    torch.testing.assert_close(found["a.0"], alone(members["a"], "0", x))
    torch.testing.assert_close(found["b.3"], alone(members["b"], "3", x))
    torch.testing.assert_close(found["a"], alone(members["a"], "3", x))


def test_without_a_shared_class_layers_alone_are_read(members):
    apart = members | {"b": Member(members["b"].network, members["b"].contract, None)}
    ensemble, plain = Ensemble(apart, "mean"), contract(10, mean=[0], std=[1], fit="none")
    x = torch.rand(1, 3, 10, 10)
    assert Features(ensemble, ["a.0", "b.0"], plain, False).whole(x)[0]["b.0"].shape == (1, 4, 10, 10)
    with pytest.raises(UserError, match="share no class name: set units of their layers, such as a:3"):
        Features(ensemble, "output", plain, False)(x)


def test_what_is_no_ensemble(members):
    with pytest.raises(UserError, match="two members or more"):
        Ensemble({"a": members["a"]}, "mean")
    with pytest.raises(UserError, match="cannot be called 'forward'"):
        Ensemble(members | {"forward": members["a"]}, "mean")
    wrong = Ensemble(members | {"a": Member(members["a"].network, members["a"].contract, ["cup", "egg"])}, "mean")
    with pytest.raises(UserError, match="the member a does not return one score per class name"):
        wrong(torch.rand(1, 3, 8, 8))
    assert shared([["x", "y", "y"], ["y", "x"]]) == ["x"] and shared([["x"], None]) == []
