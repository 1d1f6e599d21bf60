"""The range of real codes."""

import numpy as np
import pytest
import torch
from hydra.utils import instantiate

from dgn.base.errors import UserError
from dgn.base.typed import arguments
from dgn.generators import bundle, lookup
from dgn.generators.moments import Moments
from dgn.synthesis.priors import Box, Ellipsoid, Free, Prior, Shrink


def measured(codes: torch.Tensor) -> Moments:
    moments = Moments()
    moments.update(codes)
    return moments


def test_the_box_clips_and_then_shrinks(moments):
    box = Box(moments, k=3, lower="auto", shrink=0.99)
    upper = moments.mean + 3 * moments.std
    code = torch.stack([torch.full((12,), 1e6), torch.full((12,), -1e6), moments.mean])
    torch.testing.assert_close(box.apply_to(code), 0.99 * torch.stack([upper, torch.zeros(12), moments.mean]))


def test_the_lower_bound_is_zero_only_where_codes_are_never_negative():
    found = Moments()
    found.update(torch.tensor([[0.0, -1.0], [2.0, 3.0]]))
    box = Box(found, k=2, lower="auto", shrink=1)
    assert box.lower[0] == 0 and box.lower[1] == found.mean[1] - 2 * found.std[1]
    assert Box(found, k=2, lower="zero", shrink=1).lower.tolist() == [0, 0]


def test_the_share_at_a_bound(moments):
    box = Box(moments, k=3, lower="auto", shrink=0.99)
    code = (moments.mean + 0.5 * moments.std).repeat(2, 1)
    code[1, :6] = 1e6
    assert box.at_bound(box.apply_to(code)).tolist() == [0.0, 0.5]


@pytest.mark.parametrize("name", ["caffenet64-fc6", "efficientnet_lite0-global_pool"])
def test_real_codes_are_not_at_a_bound_and_codes_that_are_pressed_against_it_are(name):
    shipped = bundle.load(lookup.find(name))
    box = Box(shipped.moments, k=3, lower="auto", shrink=0.99)
    assert (shipped.codes == 0).float().mean() > 0.4  # after a ReLU, or nearly so
    assert box.at_bound(shipped.codes * 0.99).mean() < 0.03
    assert box.at_bound(box.apply_to(torch.full_like(shipped.codes, 1e6))).tolist() == [1.0] * len(shipped.codes)
    assert box.at_bound(box.apply_to(torch.zeros_like(shipped.codes))).tolist() == [0.0] * len(shipped.codes)


def test_the_lower_bound_counts_where_real_codes_are_negative_whatever_the_range():
    signed = measured(torch.randn(500, 8, generator=torch.Generator().manual_seed(0)))
    pressed = torch.full((1, 8), -1e6)
    for lower in ("auto", "zero"):
        box = Box(signed, k=3, lower=lower, shrink=1)
        assert box.at_bound(box.apply_to(pressed)).item() == 1
        assert box.at_bound(box.apply_to(-pressed)).item() == 1


@pytest.mark.parametrize("constant", [0.0, 0.3, -0.3])
def test_elements_that_never_vary_are_left_out_of_the_share(constant):
    codes = torch.randn(500, 4, generator=torch.Generator().manual_seed(0)).abs()
    codes[:, 2:] = constant
    box = Box(measured(codes), k=3, lower="auto", shrink=1)
    assert box.at_bound(codes).mean() < 0.05
    assert box.at_bound(box.apply_to(torch.full((1, 4), 1e6))).item() == 1
    still = Box(measured(codes[:, 2:]), k=3, lower="auto", shrink=1)
    assert still.at_bound(codes[:3, 2:]).tolist() == [0, 0, 0]


def test_the_share_of_a_map_counts_positions(moments):
    maps = torch.randn(50, 3, 4, 4, generator=torch.Generator().manual_seed(0)).abs()
    box = Box(measured(maps), k=3, lower="auto", shrink=1)
    code = maps[:2].clone()
    code[1, 0] = 1e6
    assert box.at_bound(box.apply_to(code))[1].item() == pytest.approx(1 / 3, abs=0.05)


def test_released_bounds_are_whole_numbers_rounded_down(config):
    """Three codes whose bounds can be computed by hand, and the member of conf/prior that says so."""
    codes = 10 * torch.randn(500, 12, generator=torch.Generator().manual_seed(2), dtype=torch.float64).clamp(min=0)
    box = instantiate(config("synthesize", "prior=nguyen2016").prior, measured(codes.float()))
    expected = np.floor(codes.numpy().mean(0) + 3 * codes.numpy().std(0))  # numpy's std divides by the count
    assert box.upper.tolist() == expected.tolist() and box.lower.tolist() == [0] * 12
    assert torch.equal(box.apply_to(torch.full((1, 12), 1e6)), 0.99 * torch.from_numpy(expected).float()[None])
    hand = measured(torch.tensor([[1.0, 2.0, 0.0], [2.0, 6.0, 0.5]]))  # means 1.5, 4, 0.25; deviations 0.5, 2, 0.25
    assert Box(hand, k=3, lower="zero", shrink=1, round="floor").upper.tolist() == [3, 10, 1]


def test_a_prior_says_only_what_it_changes(moments):
    class Half(Prior):
        def apply_to(self, code):
            return code / 2

    code = torch.randn(2, 12)
    assert torch.equal(Half(moments).apply_to(code), code / 2) and torch.equal(Half(moments).uphill(code, None), code)
    assert torch.equal(Half(moments).after(code, None), code / 2)
    assert Half(moments).at_bound(code).tolist() == [0, 0]


def test_shrink_and_free(moments):
    code = torch.randn(2, 12)
    assert torch.equal(Shrink(moments, shrink=0.5).apply_to(code), code / 2)
    assert torch.equal(Free(moments).apply_to(code), code)
    assert Free(moments).at_bound(code).tolist() == [0, 0]


@pytest.fixture
def correlated() -> Moments:
    """Of codes of four elements that are one number, twice, and another one, twice."""
    found = Moments()
    found.update(torch.randn(4000, 2, generator=torch.Generator().manual_seed(0)).repeat_interleave(2, 1) * 2 + 5)
    return found


def test_the_ellipsoid_is_a_mahalanobis_distance_on_the_axes_of_real_codes(correlated):
    ellipsoid = Ellipsoid(correlated, max_mahalanobis=1.5, k=100, lower="auto", shrink=1)
    code = torch.tensor([[5.0, 5, 5, 5], [6, 6, 5, 5], [6, 4, 5, 5], [105, 105, 5, 5]])
    found = ellipsoid.apply_to(code)
    torch.testing.assert_close(found[:2], code[:2], atol=0.05, rtol=0)
    torch.testing.assert_close(found[2], code[0], atol=0.05, rtol=0)  # what never occurs in real codes
    far = 5 + 1.5 * 2**0.5 * 2  # the root mean square of z has two elements, one of them 0
    torch.testing.assert_close(found[3], torch.tensor([far, far, 5.0, 5.0]), atol=0.3, rtol=0)
    torch.testing.assert_close(ellipsoid.apply_to(found), found)


def test_uphill_is_the_gradient_of_the_ellipsoids_coordinates(correlated):
    ellipsoid = Ellipsoid(correlated, max_mahalanobis=1.5, k=3, lower="auto", shrink=1)
    weight, z = torch.randn(4), torch.zeros(1, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(((correlated.mean + z @ ellipsoid.axes) * weight).sum(), z)
    torch.testing.assert_close(ellipsoid.uphill(weight[None], None), gradient @ ellipsoid.axes)
    assert ellipsoid.uphill(weight[None].bfloat16(), None).dtype is torch.float32


def test_codes_without_axes_have_the_box_alone():
    moments = Moments()
    moments.update(torch.randn(20, 3, 4, 4))
    ellipsoid, box = (
        Ellipsoid(moments, max_mahalanobis=1, k=3, lower="auto", shrink=1),
        Box(moments, k=3, lower="auto", shrink=1),
    )
    code = 100 * torch.randn(2, 3, 4, 4)
    assert torch.equal(ellipsoid.apply_to(code), box.apply_to(code)) and torch.equal(ellipsoid.uphill(code, None), code)


@pytest.mark.parametrize("distance", [0, -1, float("nan"), "abc"])
def test_a_distance_that_is_none_is_refused_by_its_annotation(distance):
    with pytest.raises(UserError, match="max_mahalanobis"):
        arguments(Ellipsoid, {"max_mahalanobis": distance}, "prior.", filled=None)
