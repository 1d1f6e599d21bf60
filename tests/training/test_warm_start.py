"""A G for codes of another encoder: what its first layer begins with."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgn.training.warm_start import translated


def codes(seed, count, width):
    return torch.rand(count, width, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 9), st.integers(1, 9), st.integers(0, 99))
def test_the_map_is_that_of_ridge_regression_however_the_codes_come(width, to, seed):
    ours, theirs = codes(seed, 60, width), codes(seed + 1, 60, to)
    found = translated([(ours[:13], theirs[:13]), (ours[13:], theirs[13:])])
    x, y = (ours - ours.mean(0)).double(), (theirs - theirs.mean(0)).double()
    ridge = 0.05 * x.square().sum(0).mean()
    rows = torch.cat([x, ridge.sqrt() * torch.eye(width).double()])
    expected = torch.linalg.lstsq(rows, torch.cat([y, torch.zeros(width, to).double()])).solution.T
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)


def test_what_is_linear_is_told_from_the_codes():
    ours = codes(0, 500, 6)
    theirs = 3 + ours @ codes(1, 6, 4)
    guess = ours @ translated([(ours, theirs)]).T
    rest = (guess - guess.mean(0) - theirs + theirs.mean(0)).square().sum()
    assert rest < 0.01 * (theirs - theirs.mean(0)).square().sum()


def test_what_has_nothing_to_do_with_the_codes_is_left_out():
    assert translated([(codes(0, 5000, 6), codes(1, 5000, 4))]).abs().max() == pytest.approx(0, abs=0.05)
