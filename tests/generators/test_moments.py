"""Streamed moments against the whole."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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
    codes = torch.randn(300, 6, generator=generator) * torch.tensor([9, 3, 1, 0.3, 0.1, 0.1])
    codes = codes @ torch.linalg.qr(torch.randn(6, 6, generator=generator))[0] + 5
    one, two = Moments(), Moments()
    for part, found in ((codes[:7], one), (codes[7:], two)):
        for batch in part.split(50):
            found.update(batch)
    one.merge(two)
    _, spread, directions = torch.linalg.svd((codes - codes.mean(0)).double() / 300**0.5, full_matrices=False)
    share = spread.square().cumsum(0) / spread.square().sum()
    assert share[0] < 0.9 < share[1] and one.axes.shape == (2, 6)
    expected = (spread[:2, None] * directions[:2]).float()
    torch.testing.assert_close(one.axes * (one.axes * expected).sum(1, keepdim=True).sign(), expected)


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
