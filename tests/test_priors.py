"""The range of real codes."""

import torch

from dgn.codes import Moments
from dgn.priors import Box, Free, Shrink


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
