"""PPGN's step: the released sampler, literally."""

import numpy as np
import pytest
import torch
from torch import nn

from dgn.base.errors import UserError
from dgn.base.instantiate import instantiate
from dgn.generators import bundle, lookup
from dgn.generators.bundle import Bundle
from dgn.synthesis.ascent import NormalisedGradient
from dgn.synthesis.ppgn import Ppgn
from dgn.synthesis.priors import Step


class Always(nn.Module):
    """An encoder that gives one code."""

    def __init__(self, code):
        super().__init__()
        self.code = code

    def forward(self, pictures):
        return self.code


class Squares(nn.Module):
    """Stands for G and E together: codes that the pictures of codes encode."""

    def forward(self, pictures):
        return pictures.square().flatten(1)


@pytest.fixture(scope="module")
def shipped():
    return bundle.load(lookup.find("caffenet64-fc6"))


@pytest.fixture
def prior(synthesis, shipped):
    """What ascent=ppgn chooses, with words."""

    def build(*words):
        return instantiate(synthesis("ascent=ppgn", *words).prior, shipped.moments)

    return build


def test_the_step_is_the_released_samplers_in_absolute_numbers(prior):
    """Twenty steps of h ← clip(h + lr · d / mean|d|, 0, 30) by hand, with a score whose gradient is known."""
    pull, push, noise, lr = 0.3, 1.0, 0.05, 1.0
    ours = prior("prior.units=absolute", f"prior.pull={pull}", f"prior.noise={noise}", "prior.most=30").double()
    ours.encoder = Squares()
    h = np.abs(np.random.default_rng(0).normal(size=(2, 12)))
    code, weight = torch.from_numpy(h.copy()), np.random.default_rng(1).normal(size=12)
    climber = NormalisedGradient([code], lr=lr)
    for i in range(20):
        extra = np.stack([np.random.default_rng((seed, 2, i)).standard_normal(12) for seed in (7, 9)])
        condition = weight * np.exp(-h)
        d = pull * ((h / 2) ** 2 - h) + push * condition + noise * extra
        h = np.clip(h + lr * d / np.abs(d).mean(1, keepdims=True), 0, 30)

        gradient = torch.from_numpy(weight) * torch.exp(-code)
        step = Step(i, [7, 9], code.clone(), code, (code / 2).view(2, 3, 2, 2), gradient)
        code.grad = ours.uphill(gradient, step)
        climber.step()
        code.copy_(ours.after(code, step))
        np.testing.assert_allclose(code.numpy(), h, rtol=1e-9, atol=1e-12)
    assert h.max() > 1 and (h == 0).any()


def test_in_units_of_the_codes_spread_the_climb_scales_with_the_code(prior, shipped):
    """The same in z = h / std: what 1e-5 is for codes of a std of 3.7 is 1.4e-4 in z."""
    ours, scale = prior().double(), shipped.moments.scale
    z, towards, slope = (torch.randn(1, 12, dtype=torch.float64) for _ in range(3))
    ours.encoder = Always(scale * towards)
    step = Step(0, [0], scale * z, scale * z, torch.zeros(1, 3, 2, 2), slope / scale)  # ∂s/∂h of a score of z
    expected = 1.4e-4 * (towards - z) + slope
    torch.testing.assert_close(ours.uphill(slope / scale, step), scale * expected)
    assert ours.apply_to(torch.tensor([[-1.0, 99.0]])).tolist() == [[0, pytest.approx(8 * scale)]]
    in_units_of_std = (1e-5 * 3.7**2, 30 / 3.7)
    assert in_units_of_std == pytest.approx((1.4e-4, 8), rel=0.03)


def test_rows_have_noise_of_their_own_seed(prior):
    ours = prior("prior.pull=0", "prior.push=0", "prior.noise=1", "prior.units=absolute")
    ours.encoder = Squares()
    code = torch.zeros(3, 12)
    drawn = ours.uphill(code, Step(4, [1, 2, 1], code, code, code.view(3, 3, 2, 2), code))
    assert torch.equal(drawn[0], drawn[2]) and not torch.equal(drawn[0], drawn[1])
    later = ours.uphill(code, Step(5, [1, 2, 1], code, code, code.view(3, 3, 2, 2), code))
    assert not torch.equal(drawn, later)


def test_the_encoder_must_be_the_one_that_the_generator_inverts(prior, shipped):
    ours = prior()
    ours.fits(shipped)
    with pytest.raises(UserError, match=r"set network@prior\.encoder=caffenet64"):
        prior("prior.encoder.layer=fc7").fits(shipped)
    loose = Bundle(shipped.generator, shipped.moments, shipped.codes, {})  # a decoder of one's own has no record
    with pytest.raises(UserError, match=r"codes of shape \(200,\)"):
        prior("prior.encoder.layer=fc8").fits(loose)


def test_the_share_at_the_bound_counts_the_upper_one(prior):
    ours = prior()
    code = torch.zeros(1, 8)
    code[0, :2] = 1e6
    assert ours.at_bound(ours.apply_to(code)).tolist() == [0.25]
    assert isinstance(ours, Ppgn)
