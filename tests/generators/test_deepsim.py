"""The paper's G: its tables, its start, its pattern for other shapes."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from torch import nn

from dgn.base.errors import UserError
from dgn.base.images import to_caffe
from dgn.generators.deepsim import Deepsim, pattern
from dgn.generators.pixels import Pixels

RELEASED = OmegaConf.load(Path(__file__).parents[2] / "conf/generator/deepsim.yaml")


def released(layer, code_shape):
    with torch.device("meta"):
        return Deepsim(
            code_shape=code_shape, size=227, norm=RELEASED.norm, slope=RELEASED.slope, code_scale=RELEASED.code_scale,
            **RELEASED.tables[layer],
        )  # fmt: skip


@pytest.mark.parametrize(
    ("layer", "code_shape", "count"),
    [
        ("fc6", (4096,), 56_096_256),
        ("fc7", (4096,), 56_096_256),
        ("fc8", (1000,), 43_415_040),
        ("pool5", (256, 6, 6), 12_700_672),
        ("conv3", (384, 13, 13), 8_073_008),
        ("conv4", (384, 13, 13), 8_073_008),
        ("norm1", (96, 27, 27), 1_034_032),
        ("norm2", (256, 13, 13), 1_660_848),
    ],
)
def test_the_released_generators_have_their_parameters_and_sizes(layer, code_shape, count):
    g = released(layer, code_shape)
    assert sum(p.numel() for p in g.parameters()) == count
    side = 240 if layer.startswith("norm") else 256
    assert g.layers(torch.zeros(2, *code_shape, device="meta")).shape == (2, 3, side, side)
    assert g(torch.zeros(2, *code_shape, device="meta")).shape == (2, 3, 227, 227)


def layers(layer, code_shape):
    """Kind, channels, kernel, stride and padding of every convolution, and what stands between them."""
    found = []
    for m in released(layer, code_shape).layers:
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d):
            kind = "D" if isinstance(m, nn.ConvTranspose2d) else "c"
            shape = (m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0], m.padding[0], m.bias is not None)
            found.append((kind, *shape))
        else:
            found.append(m.negative_slope)
    return found


def test_the_released_layers_of_conv3():
    assert [x for x in layers("conv3", (384, 13, 13)) if x != 0.3] == [
        ("c", 384, 384, 3, 1, 0, True), ("c", 384, 512, 3, 1, 0, True), ("c", 512, 512, 2, 1, 0, True),
        ("D", 512, 256, 4, 2, 1, False), ("D", 256, 256, 3, 1, 1, False), ("D", 256, 128, 4, 2, 1, False),
        ("D", 128, 128, 3, 1, 1, False), ("D", 128, 128, 4, 2, 1, False), ("D", 128, 128, 3, 1, 1, False),
        ("D", 128, 64, 4, 2, 1, False), ("c", 64, 32, 3, 1, 1, False), ("D", 32, 16, 4, 2, 1, False),
        ("c", 16, 3, 3, 1, 1, False),
    ]  # fmt: skip
    assert [x == 0.3 for x in layers("conv3", (384, 13, 13))] == [False, True] * 12 + [False]


def test_the_released_layers_of_norm1():
    found = layers("norm1", (96, 27, 27))
    assert [x for x in found if x != 0.3] == [
        ("c", 96, 128, 3, 2, 2, True), ("c", 128, 128, 3, 1, 1, True), ("c", 128, 128, 3, 1, 1, True),
        ("D", 128, 128, 4, 2, 1, False), ("c", 128, 128, 3, 1, 1, False), ("D", 128, 64, 4, 2, 1, False),
        ("c", 64, 64, 3, 1, 1, False), ("D", 64, 32, 4, 2, 1, False), ("c", 32, 32, 3, 1, 1, False),
        ("D", 32, 16, 4, 2, 1, False), ("c", 16, 3, 3, 1, 1, False),
    ]  # fmt: skip
    assert found[-3:] == [0.3, ("D", 32, 16, 4, 2, 1, False), ("c", 16, 3, 3, 1, 1, False)]  # nothing between the two


def test_a_map_code_has_a_stem_and_a_vector_has_none():
    assert [tuple(w.shape) for w in released("norm2", (256, 13, 13)).stem()] == [
        (256, 256, 3, 3), (128, 256, 3, 3), (128, 128, 3, 3)
    ]  # fmt: skip
    assert released("fc6", (4096,)).stem() == []


def test_the_released_layers_of_fc6():
    found = [m for m in released("fc6", (4096,)).layers if isinstance(m, nn.Linear | nn.ConvTranspose2d)]
    deconvs = [(m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0], m.padding[0]) for m in found[3:]]
    assert [(m.in_features, m.out_features) for m in found[:3]] == [(4096, 4096)] * 3
    assert deconvs == [
        (256, 256, 4, 2, 1), (256, 512, 3, 1, 1), (512, 256, 4, 2, 1), (256, 256, 3, 1, 1), (256, 128, 4, 2, 1),
        (128, 128, 3, 1, 1), (128, 64, 4, 2, 1), (64, 32, 4, 2, 1), (32, 3, 4, 2, 1),
    ]  # fmt: skip
    assert not any(m.bias is not None for m in found[3:])
    assert isinstance(released("fc6", (4096,)).layers[-1], nn.ConvTranspose2d)  # linear: nothing follows it


def test_the_released_start():
    """He's normal times 1 for fc, 1.8 for the doubling layers, 0.9 for the others; fan-in is Caffe's, output x k^2."""
    torch.manual_seed(0)
    g = Deepsim(code_shape=(256,), size=32, layers="fc256 fc1024 64x4x4 d64 t128 d64 d3", norm=False, slope=0.3,
                gains=dict(RELEASED.tables.fc6.gains), output="caffe", code_scale=1.0)  # fmt: skip
    fc, doubling, same = g.layers[0], g.layers[5], g.layers[7]
    assert fc.weight.std().item() == pytest.approx((2 / 256) ** 0.5, rel=0.02)
    assert doubling.weight.std().item() == pytest.approx(1.8 * (2 / (64 * 16)) ** 0.5, rel=0.02)
    assert same.weight.std().item() == pytest.approx(0.9 * (2 / (128 * 9)) ** 0.5, rel=0.02)


@settings(deadline=None, max_examples=30)
@given(st.sampled_from([(12,), (6, 4, 4), (6, 6, 6), (6, 7, 7), (5, 13, 13)]), st.integers(20, 72))
def test_the_pattern_fits_any_code_and_size(code_shape, size):
    words = pattern(code_shape, size, hidden=16, widths=[8, 6, 4])
    g = Deepsim(code_shape=code_shape, size=size, layers=words, norm=True, slope=0.2, gains={}, output="tanh",
                code_scale=1.0).eval()  # fmt: skip
    image = g(torch.rand(2, *code_shape))
    assert image.shape == (2, 3, size, size)
    assert 0 <= image.min() <= image.max() <= 1


def test_a_code_larger_than_the_image_is_refused():
    with pytest.raises(UserError, match="is not smaller than the image"):
        pattern((8, 16, 16), 16, 8, [8])
    for word in ("z3", "relu"):
        with pytest.raises(UserError, match=f"'{word}' is not a layer"):
            Deepsim(code_shape=(4,), size=4, layers=word, norm=False, slope=0, gains={}, output="tanh", code_scale=1.0)


def test_the_pixel_shuffle_starts_without_a_dot_pattern(generator):
    g = generator()
    image = g.layers(torch.rand(1, 12))
    for y, x in ((0, 1), (1, 0), (1, 1)):
        torch.testing.assert_close(image[..., y::2, x::2], image[..., ::2, ::2])


def test_caffe_output_is_bgr_without_the_mean(generator):
    g = generator(output="caffe")
    code = torch.rand(2, 12)
    raw = g.layers(code)
    mean = torch.tensor([104.0, 117.0, 123.0]).view(1, 3, 1, 1)
    torch.testing.assert_close(g(code), (raw + mean).flip(1) / 255)


def test_the_tanh_of_conv_codes_reaches_255():
    g = Deepsim(code_shape=(12,), size=8, layers="fc128 8x4x4 d3", norm=False, slope=0.3, gains={}, output="caffe_tanh",
                code_scale=1.0)  # fmt: skip
    code = 100 * torch.randn(2, 12)
    torch.testing.assert_close(to_caffe(g(code)), 255 * torch.tanh(g.layers(code)), atol=1e-4, rtol=1e-4)


def test_pixels_are_their_own_code():
    g = Pixels(size=4, channels=3)
    assert g(torch.zeros(1, 3, 4, 4)).unique().tolist() == [0.5]
    assert g.moments().scale == pytest.approx(2 / 3)


def test_the_default_range_of_pixels_is_from_black_to_white(config):
    g, node = Pixels(size=4, channels=3), config("synthesize", "prior=box", "prior.shrink=1").prior
    box = instantiate(node, g.moments())
    ends = g(box.apply_to(torch.stack([torch.full((3, 4, 4), 1e6), torch.full((3, 4, 4), -1e6)])))
    torch.testing.assert_close(ends[0], torch.ones(3, 4, 4))
    torch.testing.assert_close(ends[1], torch.zeros(3, 4, 4))
