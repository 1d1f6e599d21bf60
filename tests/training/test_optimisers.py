"""The settings of an optimiser that goes on."""

import pytest
import torch

from dgn.training.optimisers import adam, adopt


def one(caffe: bool = True, **settings):
    defaults = {"lr": 0.1, "betas": (0.5, 0.99), "weight_decay": 0.0}
    return adam(caffe=caffe, **(defaults | settings))([torch.nn.Parameter(torch.ones(2))])


def test_a_resumed_optimiser_has_the_settings_of_now_and_the_moments_of_then():
    before, now = one(), one(weight_decay=0.5, betas=(0.9, 0.999))
    (weight,) = before.param_groups[0]["params"]
    weight.grad = torch.ones(2)
    for _ in range(3):
        before.step()
    state = before.state_dict()
    adopt([now], [state])
    now.load_state_dict(state)
    group = now.param_groups[0]
    assert (group["weight_decay"], group["betas"], group["updates"]) == (0.5, (0.9, 0.999), 3)
    assert int(now.state[group["params"][0]]["step"]) == 3


def test_another_kind_of_optimiser_cannot_go_on():
    with pytest.raises(KeyError):
        adopt([one(caffe=True)], [one(caffe=False).state_dict()])
