"""Where the climb begins."""

import numpy as np
import pytest
import torch
from PIL import Image

from dgn.base.errors import UserError
from dgn.base.files import sha256
from dgn.generators import bundle
from dgn.generators.loading import decoder
from dgn.generators.pixels import Pixels
from dgn.networks.weights_file import find
from dgn.report import results
from dgn.synthesis import initial_code, run


@pytest.fixture
def prior(small_bundle):
    return bundle.load(small_bundle)


def test_a_start_is_a_function_of_the_rows_own_seed(prior):
    for start in (initial_code.Noise(), initial_code.MeanCode(), initial_code.RealCode()):
        together = start(prior, [3, 5, 3], 0.5)
        assert torch.equal(together[0], together[2])
        assert torch.equal(together[1:2], start(prior, [5], 0.5))
        assert not torch.equal(together[0], together[1])


def test_noise_has_its_size_and_the_mean_code_its_centre(prior):
    noise = initial_code.Noise()(prior, range(20), 0.5)
    assert noise.std().item() == pytest.approx(0.5, rel=0.02)
    torch.testing.assert_close(initial_code.MeanCode()(prior, [1], 0.0)[0], prior.moments.mean)


def test_a_bundle_without_real_codes_says_so(prior):
    prior.codes = prior.codes[:0]
    with pytest.raises(UserError, match="start=noise"):
        initial_code.RealCode()(prior, [0], 1.0)


@pytest.fixture
def image_code(synthesis, tmp_path):
    """The start from an image, with some words, and its encoder's config."""
    path = tmp_path / "x.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)

    def build(*words, noisy=False):
        start = synthesis("start=image", f"start.path={path}", *words).start
        return initial_code.ImageCode(str(path), start["encoder"], noisy)

    return build


def test_the_code_of_an_image(prior, image_code):
    code = image_code()(prior, [0, 1], 1.0)
    assert code.shape == (2, 1024)
    assert torch.equal(code[0], code[1])  # the pictures differ by what the target sees of them: the next test
    assert code.min() == 0  # after its ReLU, as the generator's codes are
    prior.record["encoder_sha256"] = sha256(find(image_code().encoder.weights))
    noisy = image_code(noisy=True)(prior, [0, 1], 1.0)
    assert not torch.equal(noisy[0], noisy[1])


def test_pictures_from_one_image_differ_by_their_seeds(synthesis, small_bundle, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "x.png")

    def pictures(output, *words):
        words = (f"bundle={small_bundle}", "units=[lemon]", "seeds=2", "ascent.steps=6", "start=image",
                 f"start.path={tmp_path}/x.png", *words)  # fmt: skip
        run.synthesize(synthesis(*words), tmp_path / output)
        rows = results.read(tmp_path / output / "results.csv")
        return [(tmp_path / output / row.image).read_bytes() for row in rows]

    first, second = pictures("moved")
    assert first != second
    with pytest.raises(UserError, match=r"all 2 seeds would give the same picture of lemon.*: set seeds=1"):
        pictures("still", "ascent.transform_strength=0")
    assert len(set(pictures("noisy", "ascent.transform_strength=0", "start.noisy=true"))) == 2


def test_the_encoder_is_loaded_once(prior, image_code, monkeypatch):
    start = image_code()
    first = start(prior, [0], 1.0)
    monkeypatch.setattr("dgn.networks.zoo.features", None)
    assert torch.equal(start(prior, [5], 1.0), first)


def test_the_code_of_an_image_is_of_the_network_and_layer_that_the_generator_inverts(prior, image_code):
    sentence = "inverts fc6 of caffenet64: set network@start.encoder=caffenet64 start.encoder.layer=fc6"
    with pytest.raises(UserError, match=sentence):
        image_code("start.encoder.layer=fc7")(prior, [0], 1.0)  # which is as wide
    prior.record["encoder_size"] = 32  # a network that takes any size has other codes at another
    with pytest.raises(UserError, match=r"caffenet64 at 32 px, not at 64 px: set start\.encoder\.input\.size=32, or"):
        image_code()(prior, [0], 1.0)
    del prior.record["encoder_size"]
    prior.record["encoder_sha256"] = "0" * 64
    with pytest.raises(UserError, match=sentence):
        image_code()(prior, [0], 1.0)


def test_a_generator_that_takes_other_codes_than_the_images_says_so(image_code):
    pixels = decoder(Pixels(size=16, channels=3))
    with pytest.raises(UserError, match=r"code has shape \(1024,\), but this generator .* \(3, 16, 16\): set start="):
        image_code()(pixels, [0], 1.0)
