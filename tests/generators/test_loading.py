"""Where G and the moments of its code come from."""

import pytest
import torch
from safetensors.torch import save_file

from dgn.base.errors import UserError
from dgn.generators.loading import decoder
from dgn.synthesis.inputs import prior_name
from dgn.synthesis.load import load_prior

MODULE = """
from torch import nn


def G(width):
    return nn.Sequential(nn.Linear(6, 3 * width * width), nn.Unflatten(1, (3, width, width)))
"""
OWN = ("generator._target_=my_decoders.G", "generator.args.width=8")


@pytest.fixture
def prior(synthesis, tmp_path, monkeypatch):
    """The prior of some words, in a folder with a decoder and real codes; and its config."""
    (tmp_path / "my_decoders.py").write_text(MODULE)
    torch.manual_seed(0)
    save_file({"any": torch.randn(50, 6)}, tmp_path / "codes.safetensors")
    save_file({"a": torch.ones(2), "b": torch.ones(2)}, tmp_path / "two.safetensors")
    monkeypatch.chdir(tmp_path)

    def build(*words):
        config = synthesis(*words)
        return load_prior(config), config

    return build


def test_a_decoder_with_codes_or_with_moments(prior):
    measured, config = prior(*OWN, "generator.codes=codes.safetensors")
    assert (prior_name(config), len(measured.codes), measured.generator.size) == ("g", 50, 8)
    assert 0.5 < measured.moments.scale < 1.5
    double = decoder(measured.generator.network, measured.codes.double())
    assert double.generator(double.codes).shape == (50, 3, 8, 8)
    given, _ = prior(*OWN, "generator.moments.shape=[6]", "generator.moments.std=2", "generator.range=[-1,1]")
    assert given.moments.std.tolist() == [2] * 6
    code = torch.randn(2, 6)
    torch.testing.assert_close(given.generator(code), (given.generator.network(code) + 1) / 2)


def test_pixels_and_the_bundle_are_named(prior):
    pixels, config = prior("generator=pixels", "target.input.size=16")
    assert (prior_name(config), pixels.generator.code_shape) == ("pixels", (3, 16, 16))
    shipped, config = prior()
    assert (prior_name(config), shipped.generator.code_shape) == ("caffenet64-fc6", (1024,))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((*OWN,), r"set generator\.codes=FILE with real codes, or"),
        ((*OWN, "generator.codes=two.safetensors"), "2 tensors: save the codes alone, or under the name 'codes'"),
        ((*OWN, "generator.moments.shape=[5]"), r"does not accept a code of shape \(5,\)"),
        ((*OWN, "generator.moments.shape=6"), "shape=6 is not a list: set generator.moments.shape to a list"),
        ((*OWN, "generator.moments.shape=[6]", "generator.range=[0]"), r"range=\[0\] .*at least 2"),
        (
            (*OWN, "generator.moments.shape=[6]", "generator.range=[1,1]"),
            "is not a range: set the output values for black and white",
        ),
        (("generator._target_=my_decoders.H",), "cannot import"),
    ],
)
def test_a_mistake_is_a_sentence(prior, words, sentence):
    with pytest.raises(UserError, match=sentence):
        prior(*words)
