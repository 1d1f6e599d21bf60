"""How far pictures and accuracy have come on the way from chance to the end, on numbers that can be checked by hand."""

import math

import pytest

from dgn.paper import growth


def test_the_way_is_0_at_chance_and_1_at_the_end():
    last = {"a": [0.6], "b": [0.4]}
    for now, expected in ((last, 1), ({"a": [0.2], "b": [0.0]}, 0), ({"a": [0.3, 0.5], "b": [0.2]}, 0.5)):
        assert growth.moved("x", [(1, now, last, 0.1)]).value == pytest.approx(expected)
    assert math.isnan(growth.moved("x", [(1, last, last, 0.5)]).value)


def test_what_is_ahead_is_the_difference_of_the_ways_over_the_shared_classes():
    pictures, end = {"a": [4.0], "b": [6.0], "c": [9.0]}, {"a": [2.0], "b": [4.0], "c": [9.0]}
    accuracy, best = {"a": [0.2], "b": [0.4]}, {"a": [0.5], "b": [0.7]}
    found = growth.moved("x", [(1, pictures, end, 8.0), (-1, accuracy, best, 0.0)])
    assert found.value == pytest.approx((5 - 8) / (3 - 8) - 0.3 / 0.6) and found.low < found.value < found.high


def test_a_judge_that_guesses_has_the_mean_of_all_ranks():
    assert growth.log2_rank_by_chance(4) == pytest.approx((0 + 1 + math.log2(3) + 2) / 4)
