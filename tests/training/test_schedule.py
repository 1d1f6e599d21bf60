"""Rates as functions of the share of the run that is done."""

import pytest

from dgn.training import schedule


def test_one_cycle():
    assert schedule.one_cycle(0.0, 0.2) == pytest.approx(0.04)
    assert schedule.one_cycle(0.2, 0.2) == pytest.approx(1)
    assert schedule.one_cycle(1.0, 0.2) == pytest.approx(0)


def test_linear_end():
    assert [schedule.linear_end(d, 0.75, 0.05) for d in (0, 0.74, 1)] == [1, 1, pytest.approx(0.05)]


def test_the_released_halvings():
    at = [0.3, 0.5, 0.7, 0.9]
    assert [schedule.halvings(d, at) for d in (0, 0.3, 0.69, 0.95)] == [1, 0.5, 0.25, 0.0625]
