"""Where the climb begins."""

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from dgn import bundle
from dgn.errors import UserError
from dgn.files import sha256
from dgn.networks import zoo
from dgn.synthesis import starts


@pytest.fixture
def prior(small_bundle):
    return bundle.load(small_bundle)


def test_a_start_is_a_function_of_the_rows_own_seed(prior):
    for start in (starts.Noise(), starts.MeanCode(), starts.RealCode()):
        together = start(prior, [3, 5, 3], 0.5)
        assert torch.equal(together[0], together[2])
        assert torch.equal(together[1:2], start(prior, [5], 0.5))
        assert not torch.equal(together[0], together[1])


def test_noise_has_its_size_and_the_mean_code_its_centre(prior):
    noise = starts.Noise()(prior, range(20), 0.5)
    assert noise.std().item() == pytest.approx(0.5, rel=0.02)
    torch.testing.assert_close(starts.MeanCode()(prior, [1], 0.0)[0], prior.moments.mean)


def test_a_bundle_without_real_codes_says_so(prior):
    prior.codes = prior.codes[:0]
    with pytest.raises(UserError, match="start=noise"):
        starts.RealCode()(prior, [0], 1.0)


def test_the_code_of_an_image(prior, config, tmp_path):
    path = tmp_path / "x.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    node = OmegaConf.to_container(config("synthesize", "start=image", f"start.path={path}").start, resolve=True)
    encoder = node["encoder"]
    code = starts.ImageCode(str(path), encoder, noisy=False)(prior, [0, 1], 1.0)
    assert code.shape == (2, 1024)
    assert torch.equal(code[0], code[1])
    assert code.min() == 0  # after its ReLU, as the generator's codes are
    prior.record["encoder_sha256"] = "0" * 64
    with pytest.raises(UserError, match="not the one of this bundle"):
        starts.ImageCode(str(path), encoder, noisy=False)(prior, [0], 1.0)
    prior.record["encoder_sha256"] = sha256(zoo.find(encoder["weights"]))
    noisy = starts.ImageCode(str(path), encoder, noisy=True)(prior, [0, 1], 1.0)
    assert not torch.equal(noisy[0], noisy[1])
