"""Inputs that are not square, from the network's to the page's: each edge, and a whole small run."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from dgn.base import images
from dgn.base.errors import UserError
from dgn.data.dataset import Augment
from dgn.data.sources import Files
from dgn.evaluation.dataset_examples import as_seen
from dgn.generators.decoder import Decoder
from dgn.generators.deepsim import Deepsim, made_by, pattern
from dgn.generators.pixels import Pixels
from dgn.networks.features import Features, Preprocessing
from dgn.networks.validate import settle
from dgn.synthesis import transforms
from dgn.training.discriminator import Discriminator
from tests.commands import run

SIZE = [16, 32]
PLAIN = {"mean": [0], "std": [1], "scale": 1, "channels": 3, "order": "rgb", "interpolation": "bilinear"}


def test_a_target_gets_its_own_height_and_width():
    network = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.Flatten(), nn.Linear(2 * 16 * 32, 5))
    features = settle(Features(network, ["0", "2"], Preprocessing(size=SIZE, fit="resize", **PLAIN), False))
    found = features.all(torch.rand(2, 3, 64, 64))
    assert found["0"].shape == (2, 2, 16, 32) and found["2"].shape == (2, 5)
    crop, x = Preprocessing(size=SIZE, fit="crop", **PLAIN), torch.rand(1, 3, 20, 40)
    assert torch.equal(crop.fitted(x), x[..., 2:18, 4:36])
    assert torch.equal(crop.fitted(x[..., :16, :32]), x[..., :16, :32])


def test_the_largest_part_of_an_image_of_that_shape_is_read(tmp_path):
    pixels = np.arange(40 * 20 * 3, dtype=np.uint8).reshape(40, 20, 3)
    Image.fromarray(pixels).save(tmp_path / "tall.png")
    assert np.array_equal(images.load_centre(tmp_path / "tall.png", [10, 20]), pixels[15:25])
    assert images.read(tmp_path / "tall.png", SIZE).shape == (1, 3, 16, 32)
    source = Files([(str(tmp_path / "tall.png"), 0)], ["a"], SIZE)
    assert source.load(0).shape == (16, 32, 3)
    augment = Augment(crop=[8, 24], pad=0, flip=True, brightness=0)
    batch = np.stack([source.load(0)] * 2)
    moved, _ = augment(batch, np.array([[0.999, 0.999, 0.9, 0.5], [0, 0, 0, 0.5]]))
    assert np.array_equal(moved[0], batch[0, 8:, 8:]) and np.array_equal(moved[1], batch[1, :8, :24][:, ::-1])
    assert np.array_equal(augment.plain(batch)[0], batch[:, 4:12, 4:28])


def test_a_turn_keeps_lengths():
    """A horizontal bar of 9 pixels, turned by 90 degrees about the middle, is a vertical one of 9 pixels."""
    picture, wanted = torch.zeros(1, 1, 15, 31), torch.zeros(1, 1, 15, 31)
    picture[..., 7, 11:20] = 1
    wanted[..., 3:12, 15] = 1
    one = np.ones((1, 1))
    moved = transforms.transform(picture, transforms._maps(one, np.pi / 2 * one, 0 * one, 0 * one)[0])
    torch.testing.assert_close(moved[..., 1:-1], wanted[..., 1:-1], atol=1e-4, rtol=0)  # beyond, reflections begin
    same = transforms.transform(picture, transforms._maps(one, 0 * one, 0 * one, 0 * one)[0])
    torch.testing.assert_close(same, picture, atol=1e-4, rtol=0)


def test_generators_and_a_discriminator():
    words = pattern((12,), SIZE, 24, [8])
    assert "8x4x7" not in words and made_by((12,), words) == (16, 32)
    g = Deepsim.for_codes(torch.randn(4, 12), size=SIZE, layers=None, hidden=24, widths=[8], code_scale=None,
                          norm=False, slope=0.3, gains={}, output="tanh")  # fmt: skip
    assert g(torch.randn(2, 12)).shape == (2, 3, 16, 32)
    with pytest.raises(UserError, match=r"make images of 16x32 px, but generator.size is 32"):
        Deepsim.for_codes(torch.randn(4, 12), size=32, layers=words, hidden=None, widths=None, code_scale=None,
                          norm=False, slope=0.3, gains={}, output="tanh")  # fmt: skip
    with pytest.raises(UserError, match="does not lead from a code"):
        pattern((8, 4, 4), SIZE, 24, [8])
    assert Pixels(size=SIZE, channels=3).code_shape == (3, 16, 32)
    decoder = Decoder(nn.Sequential(nn.Linear(6, 3 * 8 * 4), nn.Unflatten(1, (3, 8, 4))), (6,), 0, 1)
    assert images.sides(decoder.size) == (8, 4) and images.px(decoder.size) == "8x4 px"
    d = Discriminator(code_shape=(12,), size=SIZE, convs=[[4, 3, 2, 1], [8, 3, 2, 1]], pool=False, image=[], code=[4],
                      head=[], outputs=1, dropout=0, slope=0.2, spectral=False, caffe=False)  # fmt: skip
    assert d(torch.rand(2, 3, 16, 32), torch.rand(2, 12)).shape == (2, 1)


def test_real_images_are_read_at_that_size(synthesis):
    settings = synthesis("data.root=DIR", "target.input.size=[16,32]").data
    contract = Preprocessing(size=SIZE, fit="crop", **PLAIN)
    seen = as_seen(settings, contract, 24)
    assert (seen.resize, seen.crop, seen.sources["size"]) == ([24, 32], SIZE, [24, 32])
    assert as_seen(settings, Preprocessing(size=SIZE, fit="resize", **PLAIN), 24).resize == SIZE


@pytest.mark.slow
def test_a_generator_is_trained_and_used(tmp_path, image_tree):
    size = ["data.resize=[48,64]", "data.crop=[48,64]", "encoder.input.size=[48,64]", "init=null"]
    run("train.py", *size, f"data.root={image_tree}", "debug=true", f"output={tmp_path / 'prior'}")
    (bundle,) = (tmp_path / "prior").glob("caffenet64-fc6-*.bundle.safetensors")
    run("synthesize.py", f"bundle={bundle}", "units=lemon", "debug=true", f"output={tmp_path / 'out'}")
    with Image.open(next((tmp_path / "out/images").iterdir())) as picture:
        assert picture.size == (64, 48)
