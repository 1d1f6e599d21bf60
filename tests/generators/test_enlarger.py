"""An enlarger of pictures: its layers against a literal transcription, its sizes, its place behind a G."""

import pytest
import torch
from torch.nn import functional as F

from dgn.base.errors import UserError
from dgn.generators import bundle
from dgn.generators.enlarged import Enlarged, enlarged, find
from dgn.generators.enlarger import Enlarger
from dgn.generators.moments import Moments


def make(width=4, blocks=2, trained=True):
    torch.manual_seed(0)
    enlarger = Enlarger(code_shape=(3, 8, 8), width=width, blocks=blocks)
    if trained:  # weights that start at zero would hide what is behind them
        for weight in enlarger.parameters():
            torch.nn.init.normal_(weight, std=0.2)
    return enlarger.eval().requires_grad_(False)


def written(path, generator):
    moments = Moments()
    codes = torch.rand(20, *generator.code_shape)
    moments.update(codes)
    bundle.save(path, generator, moments, codes[:2], {})
    return path


def leaky(x):
    return torch.where(x < 0, 0.2 * x, x)


def conv(x, layer):
    out = torch.zeros(len(x), len(layer.bias), *x.shape[2:], dtype=x.dtype)
    padded = F.pad(x, (1, 1, 1, 1))
    for i in range(3):
        for j in range(3):
            part = padded[:, :, i : i + x.shape[2], j : j + x.shape[3]]
            out += torch.einsum("nchw,oc->nohw", part, layer.weight[:, :, i, j])
    return out + layer.bias[:, None, None]


def test_the_layers_are_those_of_a_literal_transcription():
    enlarger = make().double()
    x = torch.rand(2, 3, 5, 6, dtype=torch.float64)
    y = leaky(conv(2 * x - 1, enlarger.first))
    for block in enlarger.blocks:
        y = y + conv(leaky(conv(y, block.first)), block.second)
    y = conv(y, enlarger.last)
    wanted = F.interpolate(x, size=(10, 12), mode="bilinear", align_corners=False)
    for channel in range(3):
        for row in range(2):
            for column in range(2):
                wanted[:, channel, row::2, column::2] += y[:, 4 * channel + 2 * row + column]
    torch.testing.assert_close(enlarger(x), wanted, rtol=1e-12, atol=1e-12)


def test_training_begins_at_a_bilinear_enlargement():
    x = torch.rand(2, 3, 8, 8)
    plain = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(make(trained=False)(x), plain)


def test_a_picture_far_from_the_edge_does_not_depend_on_the_size():
    enlarger, x = make(), torch.rand(1, 3, 32, 40)
    whole, part = enlarger(x), enlarger(x[..., 4:28, 6:34])
    assert whole.shape == (1, 3, 64, 80)
    torch.testing.assert_close(part[..., 12:-12, 12:-12], whole[..., 20:-20, 24:-24], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3,), (12,)])
def test_what_is_no_colour_picture_cannot_be_enlarged(shape):
    with pytest.raises(ValueError, match=r"it enlarges pictures \(3, H, W\)"):
        Enlarger(code_shape=shape, width=4, blocks=1)


def test_it_stands_behind_any_generator(tmp_path, small_bundle):
    path = written(tmp_path / "e.safetensors", make())
    prior = bundle.load(small_bundle)
    larger = enlarged(prior, str(path))
    codes = prior.codes[:2]
    assert larger.generator.size == 32 and larger.generator.code_shape == prior.generator.code_shape
    inner = prior.generator(codes).clamp(0, 1)
    kept = bundle.load(path).generator
    torch.testing.assert_close(larger.generator(codes), kept(inner))
    assert enlarged(prior, None) is prior


def test_a_picture_that_is_not_square_stays_so(generator):
    inner = generator(size=[12, 16])
    assert Enlarged(inner, make()).size == [24, 32]


def test_a_file_without_an_enlarger_is_refused(small_bundle, tmp_path):
    with pytest.raises(UserError, match="holds a generator that is no enlarger: set enlarger=photos"):
        enlarged(bundle.load(small_bundle), str(small_bundle))
    with pytest.raises(UserError, match="set enlarger to an existing file"):
        find(str(tmp_path / "none.safetensors"))
