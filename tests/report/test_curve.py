"""Curves as SVG: where points stand, and the marks of their axis."""

import re

import pytest

from dgn.report.curve import HEIGHT, LEFT, WIDTH, drawing, ticks


@pytest.mark.parametrize(("low", "high", "marks"), [
    (-0.6, 17.02, [0, 5, 10, 15]), (3, 3, [3]), (0.001, 0.0042, [0.001, 0.002, 0.003, 0.004]),
])  # fmt: skip
def test_marks_are_round_numbers_within(low, high, marks):
    assert ticks(low, high) == marks


def points(drawn, name):
    path = re.search(rf'class="{name}" points="([^"]*)"', drawn)[1]
    return [tuple(map(float, point.split(","))) for point in path.split()]


def test_a_line_goes_from_its_first_point_to_its_last_and_leaves_out_what_is_no_number():
    lines = {"mean": [(0, 1.0), (5, float("nan")), (10, 2.0)], "best": [(0, 1.5), (10, 3.0)]}
    drawn = drawing(lines, 20, "pictures shown")
    mean, best = points(drawn, "mean"), points(drawn, "best")
    assert len(mean) == 2 and mean[0][0] == LEFT and mean[1][0] == pytest.approx(LEFT + (WIDTH - LEFT - 8) / 2)
    assert best[-1][1] == 8 < best[0][1] < mean[0][1] < HEIGHT  # the highest is at the top
    assert "20 pictures shown" in drawn and f'cx="{best[-1][0]}" cy="{best[-1][1]}"' in drawn
    assert drawing({"mean": [(0, float("nan"))]}, 20, "steps") == ""
