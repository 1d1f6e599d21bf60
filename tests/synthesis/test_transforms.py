"""What the target is shown in a step."""

import math

import pytest
import torch

from dgn.synthesis.transforms import NARROW, SHIFT, TURN, WIDE, view

SIZE = 64


def ramps() -> torch.Tensor:
    """One picture whose channels are the place itself: right, down and 1, in units of the width from the middle."""
    place = (torch.arange(SIZE, dtype=torch.float64) + 0.5) / SIZE - 0.5
    return torch.stack([place.expand(SIZE, SIZE), place[:, None].expand(SIZE, SIZE), torch.ones(SIZE, SIZE)])[None]


def looked_up(amount: float, step: int) -> torch.Tensor:
    """The affine map (2, 3) from places in the moved picture to those in the picture, read off the middle of it."""
    middle = (..., slice(24, 40), slice(24, 40))
    seen = view(ramps(), amount, step)[middle].flatten(2)[0, :2]
    return torch.linalg.lstsq(ramps()[middle].flatten(2)[0].T, seen.T).solution.T


def test_without_an_amount_the_pictures_are_as_they_are():
    assert view(x := ramps(), 0, 3) is x


@pytest.mark.parametrize("amount", [0.5, 1])
@pytest.mark.parametrize("step", range(12))
def test_a_move_is_a_part_a_small_shift_and_turn_and_never_a_mirror(amount: float, step: int):
    found = looked_up(amount, step)
    square, shift = found[:, :2], found[:, 2]
    zoom = square.det().sqrt()
    rigid = square / zoom
    torch.testing.assert_close(rigid @ rigid.T, torch.eye(2, dtype=torch.float64))
    assert shift.abs().max() <= amount * SHIFT
    assert NARROW**amount <= zoom <= WIDE**amount
    assert math.degrees(rigid[0, 1].abs().asin()) <= amount * TURN
    assert not torch.equal(found, looked_up(amount, step + 1))


def test_a_part_has_no_values_that_the_picture_does_not_have():
    seen = view(torch.rand(2, 3, 16, 16), 1, 5)
    assert seen.min() >= 0 and seen.max() <= 1


def test_all_rows_are_seen_alike_and_none_depends_on_another():
    x = torch.rand(1, 3, 16, 16)
    seen = view(torch.cat([x, x.flip(2), x]), 1, 5)
    torch.testing.assert_close(seen[0], seen[2])
    torch.testing.assert_close(seen[0], view(x, 1, 5)[0])
