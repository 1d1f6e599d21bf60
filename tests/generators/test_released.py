"""The released generators, against a literal transcription; their files, and what is wrong with others."""

import re

import pytest
import torch

from dgn.base.errors import UserError
from dgn.base.images import to_caffe
from dgn.generators import bundle, released
from dgn.generators.moments import Moments
from dgn.networks.caffenet import CaffeNet
from tests import released as published


@pytest.fixture
def file(tmp_path):
    """Write tensors to a torch file."""

    def write(tensors, name="g.pt"):
        torch.save(tensors, tmp_path / name)
        return tmp_path / name

    return write


def codes(name, count=1):
    return torch.rand(count, *published.CODES[name], generator=torch.Generator().manual_seed(1)).double() * 20


@pytest.mark.parametrize("name", published.CODES)
def test_a_generator_is_the_transcribed_one(name, file):
    tensors = published.generator(name)
    made = released.generator(file(tensors), name).double()
    exact = {key: value.double() for key, value in tensors.items()}
    expected = published.images(name, exact, codes(name))
    assert expected.std() > 1
    assert made.size == (240 if name.startswith("norm") else 256)
    torch.testing.assert_close(to_caffe(made(codes(name))), expected, rtol=1e-10, atol=1e-9)


def test_the_shapes_of_codes_are_caffenets():
    with torch.device("meta"):
        network, x, shapes = CaffeNet(), torch.zeros(1, 3, released.SIZE, released.SIZE), {}
        for name, module in network.named_children():
            x = module(x)
            shapes[name] = tuple(x.shape[1:])
    assert {shapes[released.encoder_layer(name)] == shape for name, shape in released.CODES.items()} == {True}
    assert released.CODES == published.CODES


@pytest.mark.parametrize("name", ["norm1", "pool5"])
def test_biases_of_up_convolutions_are_kept_only_where_they_are_not_zero(name, file):
    tensors = published.generator(name, biases=True)
    tensors["deconv3.bias"].zero_()
    made = released.generator(file(tensors), name).double()
    words = made.args["layers"].split()
    assert sum("+" in word for word in words) == len(words) - 4  # but for the stem and deconv3
    expected = published.images(name, {key: value.double() for key, value in tensors.items()}, codes(name))
    torch.testing.assert_close(to_caffe(made(codes(name))), expected, rtol=1e-10, atol=1e-9)


def test_names_with_one_more_part_are_the_same_file(file):
    plain = released.generator(file(published.generator("norm1")), "norm1")
    other = released.generator(file(published.generator("norm1", extra="1.")), "norm1")
    assert plain.args == other.args
    torch.testing.assert_close(plain.state_dict(), other.state_dict())


def test_a_bundle_of_it_is_read_and_gives_the_centre(file, tmp_path):
    tensors = published.generator("norm2", biases=True)
    made = released.generator(file(tensors), "norm2", size=227)
    moments = Moments()
    moments.update(codes("norm2", 3))
    bundle.save(tmp_path / "b.safetensors", made, moments, codes("norm2").float(), {})
    read = bundle.load(tmp_path / "b.safetensors").generator.double()
    whole = published.images("norm2", {key: value.double() for key, value in tensors.items()}, codes("norm2"))
    image = read(codes("norm2"))
    assert image.shape[-1] == read.size == 227
    torch.testing.assert_close(to_caffe(image), whole[..., 6:233, 6:233], rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "name", "sentence"),
    [
        ({}, "norm2", "g.pt is a generator for norm1, not for norm2: set --layer norm1"),
        ({"deconv3.weight": None}, "norm1", "has no deconv3.weight: take upconvGAN_norm1.pt"),
        ({"deconv3.weight": torch.ones(2, 2)}, "norm1", r"has deconv3.weight of shape \(2, 2\), not \(128, 64, 4, 4\)"),
        ({"fc8.weight": torch.ones(2)}, "norm1", "also has fc8.weight: take"),
        ({"deconv3.weight": torch.full((128, 64, 4, 4), torch.nan)}, "norm1", "NaN or inf"),
    ],
)
def test_a_file_that_is_not_as_expected_is_one_sentence(change, name, sentence, file):
    tensors = {key: value for key, value in (published.generator("norm1") | change).items() if value is not None}
    with pytest.raises(UserError, match=sentence):
        released.generator(file(tensors), name)


def test_another_file_and_another_layer_are_refused(file, tmp_path):
    with pytest.raises(UserError, match=re.escape("has no Rconv6.weight, Rconv6.bias")):
        released.generator(file({"conv1.weight": torch.ones(2)}), "conv3")
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(UserError, match="is a text file: set a file with a state dict"):
        released.generator(tmp_path / "text.pt", "fc6")
    with pytest.raises(UserError, match="no released generator 'fc9': did you mean"):
        released.encoder_layer("fc9")
    with pytest.raises(UserError, match="makes images of 240 px: set --size to 1 to 240"):
        released.generator(file(published.generator("norm1")), "norm1", size=256)
