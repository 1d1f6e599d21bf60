"""Transforms: what the target sees of a picture in a step."""

import numpy as np
import pytest
import torch
from torch.nn.functional import affine_grid, grid_sample

from dgn.synthesis.transforms import NARROW, SHIFT, TURN, WIDE, Boxes, Lucid, Parts, draw, transform


@pytest.mark.parametrize("amount", [0.5, 1])
def test_a_move_is_a_part_a_small_shift_and_turn_and_never_a_mirror(amount: float):
    maps = draw(range(50), [amount] * 50, 20).double()
    square, shift = maps[..., :2], maps[..., 2] / 2  # places go from −1 to 1
    zoom = square.det().sqrt()
    rigid = square / zoom[..., None, None]
    torch.testing.assert_close(rigid @ rigid.mT, torch.eye(2).double().expand_as(rigid), rtol=0, atol=1e-6)
    turn = torch.rad2deg(rigid[..., 1, 0].asin())
    for value, low, high in [
        (shift, -amount * SHIFT, amount * SHIFT),
        (zoom, NARROW**amount, WIDE**amount),
        (turn, -amount * TURN, amount * TURN),
    ]:
        room = 0.01 * (high - low)
        assert low - 1e-6 <= value.min() < low + room  # of a thousand draws some come near the ends
        assert high + 1e-6 >= value.max() > high - room
    assert len(maps.flatten(2).flatten(0, 1).unique(dim=0)) == 50 * 20


def test_a_draw_is_a_function_of_seed_and_step():
    maps = draw([3, 5, 3], [1.0, 1.0, 1.0], 12)
    assert maps.dtype == torch.float32
    assert torch.equal(maps[:, 0], maps[:, 2]) and not torch.equal(maps[:, 0], maps[:, 1])
    assert torch.equal(maps[:, 1:2], draw([5], [1.0], 12))  # alone as in a batch
    assert torch.equal(maps[:7], draw([3, 5, 3], [1.0, 1.0, 1.0], 7))  # a shorter climb begins as a longer one
    assert draw([3], [1.0], 0).shape == (0, 1, 2, 3)


def test_a_draw_has_nothing_to_do_with_the_initial_code():
    noise = torch.rand(400, generator=torch.Generator().manual_seed(7))  # what torch makes of the same seed
    shifts = draw([7], [1.0], 400)[:, 0, 0, 2]
    assert torch.corrcoef(torch.stack([noise, shifts]))[0, 1].abs() < 0.2


def test_the_amount_is_of_a_row():
    maps = draw([3, 3], [0.0, 1.0], 5)
    assert torch.equal(maps[:, 0], torch.eye(2, 3).expand(5, 2, 3))
    assert torch.equal(maps[:, 1:], draw([3], [1.0], 5))


@pytest.mark.parametrize("shape", [(2, 3, 16, 16), (2, 1, 9, 12)])
def test_a_transform_is_torchs_affine_grid(shape):
    pictures, maps = torch.rand(shape).double(), draw([0, 1], [1.0, 1.0], 1)[0].double()
    shares = maps.clone()  # torch's maps are of shares of the sides, these are of lengths
    shares[:, 0, 1] *= shape[2] / shape[3]
    shares[:, 1, 0] *= shape[3] / shape[2]
    expected = grid_sample(
        pictures, affine_grid(shares, list(shape), False), padding_mode="reflection", align_corners=False
    )
    torch.testing.assert_close(transform(pictures, maps), expected, rtol=1e-12, atol=1e-12)


def test_a_part_has_no_values_that_the_picture_does_not_have():
    seen = transform(torch.rand(2, 3, 16, 16), draw([5, 6], [1.0, 1.0], 1)[0])
    assert seen.min() >= 0 and seen.max() <= 1


@pytest.mark.parametrize("size", [64, 224])
def test_places_are_exact_under_autocast(size: int):
    place = (torch.arange(size) + 0.5).expand(1, 1, size, size)  # each pixel's column, in pixels
    for maps in draw([0], [1.0], 50):
        across = (torch.arange(size, dtype=torch.float64) + 0.5) * 2 / size - 1
        column = maps[0, 0, 0].double() * across + maps[0, 0, 1].double() * across[:, None] + maps[0, 0, 2].double()
        expected = (column + 1) * size / 2
        inside = (expected > 0.5) & (expected < size - 0.5)
        row = maps[0, 1, 0].double() * across + maps[0, 1, 1].double() * across[:, None] + maps[0, 1, 2].double()
        inside &= row.abs() < 1 - 1 / size
        with torch.autocast("cpu", torch.bfloat16):
            seen = transform(place, maps)
        assert seen.dtype == torch.float32
        assert (seen[0, 0] - expected)[inside].abs().max() < 1e-3  # of a pixel


def test_a_row_is_moved_alike_alone_and_in_a_batch_to_the_bit():
    pictures, maps = torch.rand(64, 3, 32, 32), draw(range(64), [1.0] * 64, 1)[0]
    together = transform(pictures, maps)
    for row in (0, 17, 63):
        assert torch.equal(transform(pictures[row : row + 1], maps[row : row + 1])[0], together[row])


LUCID = Lucid(frame=12, before=8, after=4, zoom=0.1, turn=10)
BOXES = Boxes(narrow=0.75, wide=0.95, spread=0.15)


def test_the_default_is_dgns_own():
    assert torch.equal(Parts().draw([3, 4], [1.0, 0.5], 5, 64), draw([3, 4], [1.0, 0.5], 5))


@pytest.mark.parametrize("views", [LUCID, BOXES])
def test_other_transforms_are_functions_of_seed_and_step_too_and_off_at_zero(views):
    maps = views.draw([3, 5, 3], [1.0, 1.0, 1.0], 12, 64)
    assert maps.dtype == torch.float32 and maps.shape == (12, 3, 2, 3)
    assert torch.equal(maps[:, 0], maps[:, 2]) and not torch.equal(maps[:, 0], maps[:, 1])
    assert torch.equal(maps[:7, 1:2], views.draw([5], [1.0], 7, 64))  # alone, and shorter
    assert torch.equal(views.draw([5], [0.0], 2, 64)[0, 0], torch.tensor([[1.0, 0, 0], [0, 1, 0]]))


def test_lucids_frame_shift_zoom_turn_and_shift_are_one_map():
    """Where a place of what is seen lies in the picture, step by step backwards, in pixels about the middle."""
    size, steps = 64, 200
    uniform = 2 * np.random.default_rng((7, 1)).random((steps, 6)) - 1
    maps = LUCID.draw([7], [1.0], steps, size)[:, 0].double().numpy()
    for (right, down, late_right, late_down, zoom, turn), found in zip(uniform, maps, strict=True):
        scale, angle = 1 + 0.1 * zoom, np.radians(10 * turn)
        for place in np.array([(0.0, 0.0), (1.0, 0.0), (-0.5, 1.0)]):
            seen = place * (size + 24) * max(scale, 1) / 2  # where it is smaller a frame is added again
            seen = seen + 2 * np.array([late_right, late_down])
            turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ seen
            expected = turned / scale + 4 * np.array([right, down])
            np.testing.assert_allclose((found @ [*place, 1]) * size / 2, expected, atol=2e-4)


def test_boxes_are_upright_squares_of_these_widths_about_a_normal_place():
    maps = BOXES.draw(range(50), [1.0] * 50, 40, 64)
    width, place = maps[..., 0, 0], maps[..., 2] / 2
    assert torch.equal(width, maps[..., 1, 1]) and (maps[..., 0, 1] == 0).all() and (maps[..., 1, 0] == 0).all()
    assert 0.75 <= width.min() < 0.76 and 0.94 < width.max() <= 0.95 and abs(width.mean() - 0.85) < 0.005
    assert abs(place.std() - 0.15) < 0.005 and abs(place.mean()) < 0.01


def test_beyond_the_edge_is_grey():
    white = torch.ones(1, 3, 8, 8)
    apart = torch.tensor([[[1.0, 0, 4], [0, 1, 0]]])
    assert (transform(white, apart, "grey") == 0.5).all() and (transform(white, apart) == 1).all()
