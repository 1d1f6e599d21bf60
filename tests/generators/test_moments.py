"""Streamed moments against the whole."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgn.generators import bundle, lookup
from dgn.generators.moments import Moments


@settings(deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=6), st.integers(0, 2**31), st.sampled_from([(5,), (3, 2, 2)]))
def test_batches_of_any_size_give_the_moments_of_the_whole(sizes, seed, shape):
    codes = torch.randn(sum(sizes), *shape, generator=torch.Generator().manual_seed(seed)) * 3 + 100
    found = Moments()
    for part in codes.split(sizes):
        found.update(part)
    over = (0,) if len(shape) == 1 else (0, 2, 3)
    view = shape if len(shape) == 1 else (shape[0], 1, 1)
    double = codes.double()
    torch.testing.assert_close(found.mean, double.mean(over).view(view).float())
    torch.testing.assert_close(found.std, double.std(over, correction=0).view(view).float(), rtol=1e-5, atol=1e-5)
    assert torch.equal(found.minimum, codes.amin(over).view(view))
    torch.testing.assert_close(found.negative, (codes < 0).float().mean(over).view(view))
    assert found.count == codes.numel() // torch.Size(view).numel()


def test_streams_merge():
    codes = torch.randn(9, 4)
    one, two, both = Moments(), Moments(), Moments()
    one.update(codes[:4])
    two.update(codes[4:])
    both.update(codes)
    one.merge(two)
    one.merge(Moments())
    torch.testing.assert_close(one.std, both.std)
    assert one.count == both.count == 9


def test_a_map_can_be_measured_per_element():
    codes = torch.randn(6, 2, 3, 3)
    found = Moments(per_element=True)
    found.update(codes)
    assert found.mean.shape == (2, 3, 3) and found.count == 6


def test_the_axes_are_the_principal_components_of_the_whole():
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(400, 150, generator=generator) * torch.linspace(9, 1, 150) ** 1.2
    codes = codes @ torch.linalg.qr(torch.randn(150, 150, generator=generator))[0] + 5
    one, two = Moments(), Moments()
    for part, found in ((codes[:7], one), (codes[7:], two)):
        for batch in part.split(50):
            found.update(batch)
    one.merge(two)
    _, spread, directions = torch.linalg.svd((codes - codes.mean(0)).double() / 400**0.5, full_matrices=False)
    share = spread.square().cumsum(0) / spread.square().sum()
    count = int((share < 0.9).sum()) + 1
    assert 64 < count < 150 and one.axes.shape == (count, 150)
    expected = (spread[:count, None] * directions[:count]).float()
    torch.testing.assert_close(one.axes * (one.axes * expected).sum(1, keepdim=True).sign(), expected)


@pytest.mark.parametrize(("elements", "still", "kept"), [(100, 0, 64), (20, 0, 20), (20, 8, 12)])
def test_a_code_whose_variance_is_in_two_axes_keeps_more_of_them(elements, still, kept):
    moments = Moments()
    spread = torch.ones(elements)
    spread[:2] = 100
    spread[elements - still :] = 0
    moments.update(torch.randn(500, elements) * spread)
    assert moments.axes.shape == (kept, elements)


@pytest.mark.parametrize("shape", [(3, 6), (20, 4, 2, 2), (2, 5000)], ids=["few", "maps", "wide"])
def test_maps_wide_codes_and_fewer_codes_than_elements_have_no_axes(shape):
    found = Moments()
    found.update(torch.randn(shape))
    assert found.axes is None and "axes" not in found.tensors()
    assert Moments.from_tensors(found.tensors()).axes is None


def test_tensors_and_back():
    found = Moments()
    found.update(torch.randn(20, 4))
    again = Moments.from_tensors(found.tensors())
    torch.testing.assert_close(again.std, found.std)
    torch.testing.assert_close(again.axes, found.axes, rtol=1e-3, atol=1e-3)  # fp16
    assert again.count == 20 and again.scale == pytest.approx(found.scale)


def test_moments_from_a_bundle_go_on_without_axes_that_are_no_longer_theirs():
    codes = torch.randn(40, 4)
    first, whole = Moments(), Moments()
    first.update(codes[:20])
    whole.update(codes)
    again = Moments.from_tensors(first.tensors())
    assert again.axes is not None and again.inverse_axes is not None
    again.update(codes[20:])
    torch.testing.assert_close(again.std, whole.std)
    assert again.axes is None and again.inverse_axes is None and "axes" not in again.tensors()


def test_merging_moments_with_and_without_a_covariance():
    codes = torch.randn(40, 4)
    first, second = Moments(), Moments()
    first.update(codes[:20])
    second.update(codes[20:])
    loaded = Moments.from_tensors(second.tensors())
    empty = Moments()
    empty.merge(loaded)
    assert torch.equal(empty.axes, loaded.axes)  # what came from one stream alone is still true of the whole
    first.merge(loaded)
    assert first.axes is None and first.count == 40


def test_axes_follow_codes_that_come_after_they_were_asked_for():
    codes = torch.randn(40, 4)
    moments, whole = Moments(), Moments()
    moments.update(codes[:20])
    before = moments.axes, moments.inverse_axes
    moments.update(codes[20:])
    whole.update(codes)
    torch.testing.assert_close(moments.axes @ moments.axes.T, whole.axes @ whole.axes.T)
    assert not torch.equal(moments.inverse_axes, before[1])


def test_moments_per_element_stay_so_in_a_file():
    codes = torch.randn(9, 2, 3, 3)
    moments, again = Moments(per_element=True), Moments(per_element=True)
    moments.update(codes)
    again.update(codes[:4])
    again = Moments.from_tensors(again.tensors())
    again.update(codes[4:])
    torch.testing.assert_close(again.std, moments.std)
    assert again.count == moments.count == 9


def test_no_codes_change_nothing_and_codes_of_another_shape_are_an_error():
    moments = Moments()
    moments.update(torch.randn(0, 4))
    moments.update(torch.randn(9, 4))
    moments.update(torch.randn(0, 4))
    assert moments.count == 9
    with pytest.raises(ValueError, match="do not go with"):
        moments.update(torch.randn(9, 1))  # which would broadcast


@pytest.mark.parametrize("name", ["caffenet64-fc6", "efficientnet_lite0-global_pool"])
def test_the_inverse_of_the_shipped_axes_is_the_pseudo_inverse(name):
    shipped = bundle.load(lookup.find(name))
    axes = shipped.moments.axes.double()
    exact = torch.linalg.solve(axes @ axes.T, axes).T  # the same as pinv, for rows that are independent
    gaps = shipped.codes - shipped.moments.mean
    error = (gaps @ shipped.moments.inverse_axes).double() - gaps.double() @ exact
    assert error.abs().max() < 2e-5  # standard deviations; an fp32 pinv errs by as much
    assert shipped.moments.inverse_axes is shipped.moments.inverse_axes  # once a bundle


def test_the_inverse_of_axes_that_are_not_orthogonal_or_zero():
    skewed = Moments.from_tensors(
        {name: torch.ones(3) for name in ("mean", "std", "minimum", "negative")}
        | {"count": torch.tensor(5), "axes": torch.tensor([[1.0, 0, 0], [1, 1, 0]])}
    )
    torch.testing.assert_close(skewed.inverse_axes, torch.linalg.pinv(skewed.axes))
    still = Moments()
    still.update(torch.ones(9, 3))
    assert still.inverse_axes.isfinite().all()


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_axes_of_any_size_survive_a_file(scale):
    moments = Moments()
    moments.update(torch.randn(50, 4) * scale)
    again = Moments.from_tensors(moments.tensors())
    torch.testing.assert_close(again.axes / scale, moments.axes / scale, rtol=2e-3, atol=2e-3)
