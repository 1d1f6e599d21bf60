"""The range of real codes."""

import pytest
import torch

from dgn.base.errors import UserError
from dgn.generators.moments import Moments
from dgn.synthesis.priors import Box, Ellipsoid, Free, Shrink


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
    ellipsoid = Ellipsoid(correlated, radius=1.5, k=100, lower="auto", shrink=1)
    code = torch.tensor([[5.0, 5, 5, 5], [6, 6, 5, 5], [6, 4, 5, 5], [105, 105, 5, 5]])
    found = ellipsoid.apply_to(code)
    torch.testing.assert_close(found[:2], code[:2], atol=0.05, rtol=0)
    torch.testing.assert_close(found[2], code[0], atol=0.05, rtol=0)  # what never occurs in real codes
    far = 5 + 1.5 * 2**0.5 * 2  # the root mean square of z has two elements, one of them 0
    torch.testing.assert_close(found[3], torch.tensor([far, far, 5.0, 5.0]), atol=0.3, rtol=0)
    torch.testing.assert_close(ellipsoid.apply_to(found), found)


def test_uphill_is_the_gradient_of_the_ellipsoids_coordinates(correlated):
    ellipsoid = Ellipsoid(correlated, radius=1.5, k=3, lower="auto", shrink=1)
    weight, z = torch.randn(4), torch.zeros(1, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(((correlated.mean + z @ ellipsoid.axes) * weight).sum(), z)
    torch.testing.assert_close(ellipsoid.uphill(weight[None]), gradient @ ellipsoid.axes)
    assert ellipsoid.uphill(weight[None].bfloat16()).dtype is torch.float32


def test_codes_without_axes_have_the_box_alone():
    moments = Moments()
    moments.update(torch.randn(20, 3, 4, 4))
    ellipsoid, box = (
        Ellipsoid(moments, radius=1, k=3, lower="auto", shrink=1),
        Box(moments, k=3, lower="auto", shrink=1),
    )
    code = 100 * torch.randn(2, 3, 4, 4)
    assert torch.equal(ellipsoid.apply_to(code), box.apply_to(code)) and torch.equal(ellipsoid.uphill(code), code)


@pytest.mark.parametrize("radius", [0, -1, float("nan"), "abc"])
def test_a_radius_that_is_no_distance_is_a_sentence(moments, radius):
    with pytest.raises(UserError, match="is no distance"):
        Ellipsoid(moments, radius=radius, k=3, lower="auto", shrink=1)
