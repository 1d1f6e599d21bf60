"""The verdict follows from the interval and from nothing else."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgn.measures.intervals import Measure
from dgn.paper import verdict


def effect(low, high, n=40):
    return Measure("x", (low + high) / 2, low, high, n)


@pytest.mark.parametrize(
    ("low", "high", "claimed", "expected"),
    [
        (0.1, 0.3, "above", "confirmed"),
        (0.1, 0.3, "below", "refuted"),
        (-0.3, -0.1, "below", "confirmed"),
        (-0.3, -0.1, "above", "refuted"),
        (-0.1, 0.3, "above", "undecided"),
        (0, 0.3, "above", "undecided"),
        (math.nan, math.nan, "above", "undecided"),
        (0.1, 0.2, "none", "confirmed"),
        (-0.29, 0.29, "none", "confirmed"),
        (0.31, 0.4, "none", "refuted"),
        (-0.6, -0.1, "none", "undecided"),
    ],
)
def test_an_effect(low, high, claimed, expected):
    assert verdict.of_effect(effect(low, high), claimed) == expected


def test_few_pictures_decide_nothing():
    assert verdict.of_effect(effect(0.1, 0.3, verdict.FEWEST - 1), "above") == "undecided"
    assert verdict.of_effect(effect(0.1, 0.3, verdict.FEWEST), "above") == "confirmed"


@given(st.floats(-1, 1), st.floats(0, 1))
def test_the_two_sides_mirror_each_other(low, wide):
    one, other = effect(low, low + wide), effect(-low - wide, -low)
    for claimed, opposite in (("above", "below"), ("below", "above"), ("none", "none")):
        assert verdict.of_effect(one, claimed) == verdict.of_effect(other, opposite)


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ([], "undecided"),
        (["confirmed"], "confirmed"),
        (["confirmed", "undecided"], "undecided"),
        (["confirmed", "refuted", "undecided"], "refuted"),
    ],
)
def test_a_claim_needs_all_of_its_effects(effects, expected):
    assert verdict.of_claim(effects) == expected
