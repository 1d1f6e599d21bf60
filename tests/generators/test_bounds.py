"""Moments from the released files of bounds."""

import numpy as np
import pytest
import torch

from dgn.base.errors import UserError
from dgn.generators import bounds
from dgn.synthesis.priors import Box

MEAN, STD = 1.1 + np.arange(8) / 3, np.linspace(0.2, 4, 8)


@pytest.fixture
def written(tmp_path):
    """Write bounds as released: whole numbers on one line, in a folder that is called by k."""

    def write(k, values=None, name="fc6.txt"):
        path = tmp_path / f"{k}x" / name
        path.parent.mkdir(exist_ok=True)
        numbers = np.floor(MEAN + k * STD) if values is None else values
        path.write_text(" ".join(f"{number:g}" for number in numbers))
        return path

    return write


@pytest.mark.parametrize("ks", [(3,), (1, 3), (3, 1, 2)])
def test_the_bounds_come_back_exactly_and_mean_and_std_up_to_rounding(ks, written):
    moments, said = bounds.moments([written(k) for k in ks], (8,))
    for k in ks:
        box = Box(moments, k=k, lower="auto", shrink=1, round="floor")
        np.testing.assert_array_equal(box.upper.numpy(), np.floor(MEAN + k * STD))
        assert not box.lower.any()
    if len(ks) == 1:
        assert not moments.mean.any()
        assert "does not tell mean from std" in said
    else:
        assert np.abs(moments.std.numpy() - STD).max() <= 0.5
        assert np.abs(moments.mean.numpy() - MEAN).max() <= (1 if len(ks) == 2 else 1.17)
        assert "std is known to ±0.5 and mean to ±" in said
    assert said.startswith("from the released bounds " + ", ".join(f"{k}x" for k in sorted(ks)))


def test_a_maps_bounds_are_per_element_or_per_channel(written):
    moments, _ = bounds.moments([written(1), written(3)], (2, 2, 2))
    assert moments.mean.shape == (2, 2, 2)
    moments, _ = bounds.moments([written(3, [4, 5])], (2, 2, 2))
    assert moments.std.shape == (2, 1, 1)
    assert torch.equal((3 * moments.std).floor().flatten(), torch.tensor([4.0, 5.0]))


def test_a_few_elements_that_do_not_follow_are_counted(written):
    steps = {k: np.floor(1.5 + k * np.full(1000, 2.0)) for k in (1, 2, 3)}
    steps[2][7] += 9
    _, said = bounds.moments([written(k, steps[k]) for k in steps], (1000,))
    assert "the bounds of all but 1 of 1000 elements are exact" in said


def test_files_that_are_not_as_expected_are_one_sentence(written, tmp_path):
    with pytest.raises(UserError, match=r"has 8 bounds, but a code of this layer has 9 elements"):
        bounds.moments([written(3)], (9,))
    with pytest.raises(UserError, match=r"has 8 bounds, but a code of this layer has 18 or 2 elements"):
        bounds.moments([written(3)], (2, 3, 3))
    with pytest.raises(UserError, match="8 of 8 elements have bounds that no mean"):
        bounds.moments([written(1, np.full(8, 9)), written(3, np.full(8, 2))], (8,))
    with pytest.raises(UserError, match="two files of one folder"):
        bounds.moments([written(3), written(3, name="fc7.txt")], (8,))
    with pytest.raises(UserError, match="different lengths"):
        bounds.moments([written(1), written(3, [1, 2])], (2, 2, 2))
    with pytest.raises(UserError, match="no whole numbers from 0"):
        bounds.moments([written(3, -np.ones(8))], (8,))
    with pytest.raises(UserError, match="does not say how many standard deviations"):
        bounds.moments([written(3).rename(tmp_path / "fc6.txt")], (8,))
    (tmp_path / "3x/words.txt").write_text("one two")
    with pytest.raises(UserError, match="does not hold numbers"):
        bounds.moments([tmp_path / "3x/words.txt"], (8,))
