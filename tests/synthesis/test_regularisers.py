"""Pixels with blur and L2, and with total variation: the formulas, literally."""

import numpy as np
import pytest
import torch
from hydra.utils import instantiate

from dgn.base.errors import UserError
from dgn.generators import bundle
from dgn.generators.bundle import Bundle
from dgn.generators.pixels import Pixels
from dgn.synthesis.ascent import PlainGradient
from dgn.synthesis.priors import Step
from dgn.synthesis.regularisers import TotalVariation, Yosinski, blurred, total_variation

LEVEL = 4 / 255  # a grey level in units of the code
PRESETS = [  # decay, blur radius, every, norm, contribution; learning rate, progress
    (0.0, 0.5, 4, 50.0, 0.0, 100.0, 2.0),
    (0.3, 0.0, 0, 20.0, 0.0, 100.0, None),
    (1e-4, 1.0, 4, 0.0, 0.0, 100.0, None),
    (0.0, 0.5, 4, 0.0, 90.0, 1e8, 2.0),
]


@pytest.fixture
def pixels():
    return Pixels(size=9, channels=3)


def step(number, code, gradient):
    return Step(number, range(len(code)), code, code, code / 4 + 0.5, gradient)


@pytest.mark.parametrize("radius", [0.3, 0.5, 1.0, 4.0])
def test_the_blur_is_scipys(radius):
    gaussian_filter = pytest.importorskip("scipy.ndimage").gaussian_filter
    pictures = torch.randn(2, 3, 9, 7, dtype=torch.float64)
    expected = np.stack([[gaussian_filter(colour, radius) for colour in one] for one in pictures.numpy()])
    np.testing.assert_allclose(blurred(pictures, radius).numpy(), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_of_yosinski_2015_is_the_released_loop(preset, pixels):
    """gradient_optimizer.py in grey levels around grey, for one picture and a score with a known gradient."""
    gaussian_filter = pytest.importorskip("scipy.ndimage").gaussian_filter
    decay, radius, every, small_norm, small_contribution, rate, progress = preset
    weight = np.random.default_rng(1).normal(size=(3, 9, 9))

    def slope(x):  # of Σ weight · sin(x / 50), by the grey level
        return weight * np.cos(x / 50) / 50

    first = np.random.default_rng(0).normal(0, 10, (3, 9, 9))
    x = first.copy()
    for i in range(6):
        x = np.clip(x, -127.5, 127.5)
        g = slope(x)
        lr = rate if progress is None else min(rate, progress / np.linalg.norm(g) ** 2)
        x = (x + lr * g) * (1 - decay)
        if radius > 0 and every and i % every == 0:
            x = np.stack([gaussian_filter(colour, radius) for colour in x])
        if small_norm:
            norms = np.linalg.norm(x, axis=0)
            x = x * (norms >= np.percentile(norms, small_norm))
        if small_contribution:
            benefit = np.abs((g * -x).sum(0))
            x = x * (benefit >= np.percentile(benefit, small_contribution))

    prior = Yosinski(
        pixels.moments(), decay=decay, blur_radius=radius, blur_every=every, small_norm=small_norm,
        small_contribution=small_contribution,
    ).double()  # fmt: skip
    code = torch.from_numpy(first * LEVEL)[None]
    climber = PlainGradient([code], lr=rate * LEVEL**2, progress=progress)
    for i in range(6):
        gradient = torch.from_numpy(slope(code[0].numpy() / LEVEL) / LEVEL)[None]
        before, code.grad = code.clone(), gradient
        climber.step()
        code.copy_(prior.after(code, step(i, before, gradient)))
    np.testing.assert_allclose(code[0].numpy() / LEVEL, np.clip(x, -127.5, 127.5), rtol=1e-9, atol=1e-9)
    assert np.abs(x - first).max() > 1  # it went somewhere


def test_pruning_looks_at_each_row_by_itself(pixels):
    prior = Yosinski(
        pixels.moments(), decay=0.0, blur_radius=0.0, blur_every=0, small_norm=50.0, small_contribution=0.0
    )
    code = torch.rand(2, 3, 9, 9) + 0.1
    code[1] *= 1e-3
    found = prior.after(code, step(0, code, torch.ones_like(code)))
    assert [int((row != 0).any(0).sum()) for row in found] == [41, 41]  # of 81 those not below the median
    assert torch.equal(prior.after(code[1:], step(0, code[1:], torch.ones(1, 3, 9, 9))), found[1:])


@pytest.mark.parametrize("beta", [1.0, 2.0, 3.0])
def test_total_variation_is_the_sum_and_its_gradient_is_taken_off(beta, pixels):
    code = torch.randn(2, 3, 9, 9, dtype=torch.float64)
    x, expected = code.numpy(), np.zeros(2)
    for n, c, i, j in np.ndindex(2, 3, 8, 8):
        across, along = x[n, c, i, j + 1] - x[n, c, i, j], x[n, c, i + 1, j] - x[n, c, i, j]
        expected[n] += (across**2 + along**2 + 1e-8) ** (beta / 2)
    np.testing.assert_allclose(total_variation(code, beta).numpy(), expected, rtol=1e-10)

    prior, gradient = TotalVariation(pixels.moments(), weight=0.3, beta=beta), torch.randn_like(code)
    found, bump = prior.uphill(gradient, step(0, code, gradient)), torch.zeros_like(code)
    bump[1, 2, 4, 5] = 1e-6
    rise = (total_variation(code + bump, beta) - total_variation(code - bump, beta))[1] / 2e-6
    assert float(found[1, 2, 4, 5]) == pytest.approx(float(gradient[1, 2, 4, 5] - 0.3 * rise), rel=1e-5)


def test_pixels_end_at_black_and_white_and_the_share_there_is_told(pixels):
    prior = TotalVariation(pixels.moments(), weight=0.1, beta=2.0)
    far = torch.full((1, 3, 9, 9), 1e6)
    pictures = pixels(prior.after(torch.cat([far, -far, 0 * far]), step(0, far, far)))
    assert pictures.flatten(1).amax(1).tolist() == pytest.approx([1, 0, 0.5], abs=1e-5)
    assert prior.at_bound(prior.apply_to(torch.cat([far, 0 * far]))).tolist() == [1, 0]


def test_a_prior_of_pixels_refuses_other_codes(pixels, small_bundle, config):
    prior = instantiate(config("synthesize", "prior=total_variation").prior, pixels.moments())
    prior.fits(Bundle(pixels, pixels.moments(), torch.empty(0), {}))
    with pytest.raises(UserError, match="set generator=pixels"):
        prior.fits(bundle.load(small_bundle))


def test_the_page_says_what_was_done(config):
    chosen = config("synthesize", "ascent=yosinski2015").prior
    settings = {key: value for key, value in chosen.items() if not key.startswith("_")}
    assert Yosinski.describe(None, what="picture", **settings) == (
        "the picture was kept between black and white, and was moved towards grey by the factor 0.9999 after each "
        "step, and was blurred by 1 px every 4 steps"
    )
