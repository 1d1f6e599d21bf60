"""Whether a network is the one that a bundle's G inverts."""

import pytest
import torch

from dgn.base.errors import UserError
from dgn.generators import inverted
from dgn.generators.bundle import Bundle
from dgn.generators.pixels import Pixels

RANDOM = {"_target_": "torch.nn.Linear", "args": {"in_features": 3, "out_features": 2}, "weights": None,
          "name": "Linear", "layer": "output", "input": {"size": 8}}  # fmt: skip


def of(**record):
    g = Pixels(size=4, channels=1)
    return Bundle(g, g.moments(), torch.empty(0), {"encoder": "Linear", "layer": "output", "encoder_size": 8} | record)


def test_networks_without_a_file_are_told_apart_by_their_weights():
    wider = RANDOM | {"args": {"in_features": 4, "out_features": 2}}
    assert inverted.identity(RANDOM) == inverted.identity(RANDOM) != inverted.identity(wider)
    bundle = of(encoder_sha256=inverted.identity(RANDOM))
    assert inverted.inverts(bundle, RANDOM) and not inverted.inverts(bundle, wider)
    with pytest.raises(UserError, match=r"set network@encoder=Linear encoder\.layer=output encoder\.input\.size=8"):
        inverted.same_encoder(bundle, wider, "encoder")


def test_an_unknown_encoder_is_not_any_encoder():
    for node in (RANDOM, RANDOM | {"args": {"in_features": 4, "out_features": 2}}):
        assert not inverted.inverts(of(encoder_sha256=None), node)
    with pytest.raises(UserError, match="does not record the weights: train it again"):
        inverted.same_encoder(of(encoder_sha256=None), RANDOM, "encoder")


def test_a_decoder_of_which_nothing_is_recorded_fits_any_network():
    bundle = of()
    bundle.record.clear()
    assert inverted.inverts(bundle, RANDOM)


def test_another_layer_or_size_is_not_inverted():
    for change in ({"layer": "fc"}, {"input": {"size": 9}}):
        assert not inverted.inverts(of(encoder_sha256=inverted.identity(RANDOM)), RANDOM | change)
    assert inverted.inverts(of(layer=None, encoder_size=None), RANDOM)
