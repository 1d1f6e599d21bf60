"""Intervals: against scipy, against a bootstrap written out, and by how often they hold the truth."""

import math

import numpy as np
import pytest
from scipy import stats

from dgn.measures import intervals
from dgn.measures.intervals import mean_over_classes, paired, share

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (1, 1), (3, 10), (199, 400), (7, 7)])
def test_a_share_of_one_picture_a_class_has_scipys_wilson_interval(hits, n):
    reference = stats.binomtest(hits, n).proportion_ci(method="wilson")
    flags = [i < hits for i in range(n)]
    for found in (share("x", flags), share("x", flags, [str(i) for i in range(n)])):
        assert (found.value, found.n) == (hits / n, n)
        assert (found.low, found.high) == pytest.approx((reference.low, reference.high), abs=1e-12)


def test_pictures_of_a_class_that_are_all_alike_count_once():
    hits = [True, True, True, False, False, False] * 5
    classes = [f"{i // 3}" for i in range(30)]
    alone = share("x", hits[::3], classes[::3])
    found = share("x", hits, classes)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), abs=0.02)
    assert found.high - found.low > share("x", hits).high - share("x", hits).low
    all_right = share("x", [True] * 30, classes)
    assert all_right.low == pytest.approx(share("x", [True] * 10).low)


def test_the_mean_over_classes_is_a_bootstrap_of_whole_classes():
    values, classes = RANDOM.normal(size=60), [f"class {i % 20}" for i in range(60)]
    found = mean_over_classes("x", values, classes)
    by_class, random = values.reshape(3, 20).T, np.random.default_rng(7)
    draws = [by_class[random.integers(20, size=20)].mean() for _ in range(4000)]
    assert found.value == pytest.approx(values.mean(), abs=1e-12) and found.n == 60 and found.note == ""
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(draws, [2.5, 97.5])), abs=0.02)


def test_the_paired_difference_cancels_what_classes_share():
    level = RANDOM.normal(size=25, scale=10)
    classes = [str(i) for i in range(25)]
    first, second = level + 1 + RANDOM.normal(size=25, scale=0.1), level + RANDOM.normal(size=25, scale=0.1)
    found = paired("x", first, second, classes)
    assert found.value == pytest.approx((first - second).mean(), abs=1e-12) and found.n == 50
    assert 0.9 < found.low < found.value < found.high < 1.1
    back = paired("x", second, first, classes)
    assert (back.value, back.low, back.high) == pytest.approx((-found.value, -found.high, -found.low), abs=0.005)


def test_only_shared_classes_are_paired_each_counting_once():
    found = paired("x", [1, 3, 100], [5, 1, 7], ["a", "a", "b"], ["a", "c", "c"])
    assert (found.value, found.n) == (2 - 5, 3)
    assert math.isnan(found.low) and found.note == "2 classes of one run only were left out; one class: no interval"
    assert "share no class" in paired("x", [1], [1], ["a"], ["b"]).note


@pytest.mark.parametrize("measure", [mean_over_classes, lambda name, x, c: paired(name, x, [2 * one for one in x], c)])
def test_order_nan_one_class_and_nothing(measure):
    values, classes = RANDOM.normal(size=12).tolist(), [f"{i % 4}" for i in range(12)]
    found = measure("x", values, classes)
    order = RANDOM.permutation(12)
    again = measure("x", [values[i] for i in order], [classes[i] for i in order])
    assert (again.value, again.low, again.high) == pytest.approx((found.value, found.low, found.high), abs=1e-12)
    with_nan = measure("x", [*values, math.nan], [*classes, "9"])
    assert (with_nan.value, with_nan.low, with_nan.n) == pytest.approx((found.value, found.low, found.n))
    alone = measure("x", values, ["a"] * 12)
    assert not math.isnan(alone.value) and math.isnan(alone.low) and "one class" in alone.note
    assert measure("x", [], []).n == 0 and math.isnan(measure("x", [math.nan], ["a"]).value)


def test_values_without_a_number_are_counted():
    assert mean_over_classes("x", [1, math.nan, math.inf], ["a", "b", "c"]).note == (
        "2 of 3 have no value; one class: no interval"
    )
    assert share("x", []).note == "nothing to measure"


def test_classes_that_are_all_alike_make_no_number_certain():
    for found in (mean_over_classes("x", [100.0] * 6, list("aabbcc")), paired("x", [0, 1], [0, 1], ["a", "b"])):
        assert math.isnan(found.low) and math.isnan(found.high) and found.note == "all classes alike: no interval"
    assert share("x", [True] * 6, list("aabbcc")).low == pytest.approx(share("x", [True] * 3).low)


def test_intervals_hold_the_truth_in_about_95_of_100():
    """40 classes of three pictures, half of the variance between classes; truth 0 and a half."""
    classes, mean, rate, plain = [str(i // 3) for i in range(120)], 0, 0, 0
    for i in range(200):
        x = np.repeat(RANDOM.normal(size=40), 3) + RANDOM.normal(size=120)
        found = share("x", x > 0, classes)
        rate += found.low <= 0.5 <= found.high
        plain += (lambda one: one.low <= 0.5 <= one.high)(share("x", x > 0))
        if i < 60:
            found = mean_over_classes("x", x, classes)
            mean += found.low <= 0 <= found.high
    assert mean >= 52 and 183 <= rate <= 198 and plain < rate


def test_spearmans_correlation_is_scipys_and_counts_what_has_no_value():
    x = RANDOM.normal(size=40).round(1)  # with ties
    y = (x + RANDOM.normal(size=40)).round(1)
    found = intervals.spearman("x", [*x, math.nan], [*y, 1.0])
    assert found.value == pytest.approx(stats.spearmanr(x, y).statistic) and found.n == 40
    assert found.low < found.value < found.high and found.note == "1 of 41 have no value"


@pytest.mark.parametrize(("x", "y"), [([1, 2], [1, 2]), ([1, 2, 3], [5, 5, 5]), ([], [])])
def test_where_there_is_no_correlation_there_is_no_number(x, y):
    assert math.isnan(intervals.spearman("x", x, y).value)


def test_the_interval_of_a_correlation_holds_the_truth_about_as_often_as_it_says(monkeypatch):
    monkeypatch.setattr(intervals, "DRAWS", 299)
    truth, held = 6 / math.pi * math.asin(0.25), 0  # of a normal distribution with a correlation of 0.5
    for _ in range(150):
        x, y = RANDOM.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 40).T
        found = intervals.spearman("x", x.tolist(), y.tolist())
        held += found.low <= truth <= found.high
    assert 0.87 <= held / 150 <= 1


def test_the_difference_of_two_shares_is_newcombes():
    """Newcombe 1998, table II, example (a): 56 of 70 and 48 of 80."""
    hits = [True] * 56 + [False] * 14, [True] * 48 + [False] * 32
    found = intervals.between_shares("d", *(intervals.share("s", one) for one in hits))
    assert (round(found.value, 4), round(found.low, 4), round(found.high, 4)) == (0.2, 0.0524, 0.3339)
    all_and_none = intervals.between_shares("d", intervals.share("a", [True] * 25), intervals.share("b", [False] * 25))
    assert all_and_none.value == all_and_none.high == 1 and 0.8 < all_and_none.low < 0.82 and all_and_none.n == 50
