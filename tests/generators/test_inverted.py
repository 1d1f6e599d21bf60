"""Whether a network is the one that a bundle's G inverts."""

import pytest
import torch

from dgn.base.errors import UserError
from dgn.generators import inverted
from dgn.generators.bundle import Bundle
from dgn.generators.pixels import Pixels


@pytest.fixture
def random(network_settings):
    """A linear layer without a weights file."""
    return network_settings(name="Linear", args={"in_features": 3, "out_features": 2}, input={"size": 8})


@pytest.fixture
def wider(random):
    """Another one."""
    return random.model_copy(update={"args": {"in_features": 4, "out_features": 2}})


def of(**record):
    g = Pixels(size=4, channels=1)
    return Bundle(g, g.moments(), torch.empty(0), {"encoder": "Linear", "layer": "output", "encoder_size": 8} | record)


def test_networks_without_a_file_are_told_apart_by_their_weights(random, wider):
    assert inverted.identity(random) == inverted.identity(random) != inverted.identity(wider)
    bundle = of(encoder_sha256=inverted.identity(random))
    assert inverted.inverts(bundle, random) and not inverted.inverts(bundle, wider)
    words = r"set encoder\._target_=Linear encoder\.weights=… encoder\.layer=output 'encoder\.input={size: 8, mean: …"
    with pytest.raises(UserError, match=words):
        inverted.same_encoder(bundle, wider, "encoder")


def test_another_size_alone_is_told_as_such(random):
    bundle = of(encoder_sha256=inverted.identity(random))
    larger = inverted.at_size(random, 96)
    assert inverted.at_size(random, None) is random
    with pytest.raises(UserError, match=r"Linear at 8 px, not at 96 px: set target\.input\.size=8, or bundle=ANOTHER"):
        inverted.same_encoder(bundle, larger, "target")


def test_an_unknown_encoder_is_not_any_encoder(random, wider):
    for node in (random, wider):
        assert not inverted.inverts(of(encoder_sha256=None), node)
    with pytest.raises(UserError, match="does not record the weights: train it again"):
        inverted.same_encoder(of(encoder_sha256=None), random, "encoder")


def test_a_decoder_of_which_nothing_is_recorded_fits_any_network(random):
    bundle = of()
    bundle.record.clear()
    assert inverted.inverts(bundle, random)


def test_another_layer_or_size_is_not_inverted(random):
    larger = random.input.model_copy(update={"size": 9})
    for change in ({"layer": "fc"}, {"input": larger}):
        changed = random.model_copy(update=change)
        assert not inverted.inverts(of(encoder_sha256=inverted.identity(random)), changed)
    assert inverted.inverts(of(layer=None, encoder_size=None), random)
