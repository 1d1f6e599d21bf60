"""Distances between sets of features: against torchmetrics and formulas, and where they are refused."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import nn
from torchmetrics.image.kid import KernelInceptionDistance

from dgn.measures import natural
from dgn.measures.found import Unmeasured
from dgn.measures.look import Seen
from dgn.measures.natural import Pairs, distance, fd, frechet, halves


def seen(features, classes=None):
    count = len(features)
    return Seen([1.0] * count, features, classes or [str(i % 5) for i in range(count)])


def features(count, dimensions=6, seed=0, shift=0.0):
    return torch.randn(count, dimensions, generator=torch.Generator().manual_seed(seed)) + shift


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save")
def test_kid_is_torchmetrics_own_with_one_subset_of_all_images():
    x, y = features(30), features(30, seed=1, shift=0.5)
    metric = KernelInceptionDistance(feature=nn.Identity(), subsets=1, subset_size=30)
    metric.update(x, real=False)
    metric.update(y, real=True)
    expected, spread = metric.compute()
    found = distance("kid", seen(x), seen(y)).told()
    assert found.value == pytest.approx(float(expected), rel=1e-4)
    assert float(spread) == 0 and found.low < found.value < found.high, "the interval is not that of the subsets"


def test_kid_has_no_bias_and_its_interval_holds_the_truth():
    """Sets of one distribution, of unequal size: the truth is 0."""
    found = [distance("kid", seen(features(20, seed=i)), seen(features(45, seed=100 + i))).told() for i in range(60)]
    values = np.array([one.value for one in found])
    assert abs(values.mean()) < 3 * values.std() / math.sqrt(60)
    assert sum(one.low <= 0 <= one.high for one in found) >= 50


def test_leaving_classes_out_is_the_distance_of_the_rest():
    x, y = features(20), features(30, seed=1, shift=0.5)
    a, b = seen(x), seen(y)
    found = distance("kid", a, b)
    kept = {"0", "2", "3"}
    rest = [natural.some(one, [c in kept for c in one.classes]) for one in (a, b)]
    assert found.value(kept) == pytest.approx(distance("kid", *rest).told().value, rel=1e-9)
    assert math.isnan(found.value(set()))


def test_real_images_that_belong_to_no_unit_are_never_left_out():
    a, b = seen(features(20)), seen(features(30, seed=1), [natural.REST] * 30)
    found = distance("kid", a, b)
    one = natural.some(a, [c == "0" for c in a.classes])
    assert found.value({"0"}) == pytest.approx(distance("kid", one, b).told().value, rel=1e-9)
    assert "all classes" in found.told().note


def test_halves_share_every_class_and_no_image():
    x = features(23)
    first, second = halves(seen(x))
    assert sorted(torch.cat([first.features, second.features])[:, 0].tolist()) == sorted(x[:, 0].tolist())
    assert set(first.classes) == set(second.classes) and len(first.classes) - len(second.classes) in range(6)


def test_pairs_count_no_image_with_itself():
    values = torch.arange(9.0).reshape(3, 3).numpy()
    assert Pairs(values, ["a", "a", "b"], ["a", "a", "b"], itself=False).mean({"a", "b"}) == pytest.approx(24 / 6)
    assert Pairs(values, ["a", "a", "b"], ["a", "a", "b"]).mean({"a"}) == pytest.approx((0 + 1 + 3 + 4) / 4)


def test_the_frechet_distance_is_its_formula():
    x, y = features(80).double(), (features(90, seed=1, shift=0.5) * 2).double()
    a, b = (np.cov(one.numpy(), rowvar=False) for one in (x, y))
    expected = np.square((x.mean(0) - y.mean(0)).numpy()).sum() + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert frechet(x, y) == pytest.approx(expected, rel=1e-9)


def test_the_frechet_distance_of_few_pictures_is_refused_because_it_shows_their_number():
    few, enough = [seen(features(count, 16)) for count in (60, 160)], [seen(features(160, 16, seed=i)) for i in (1, 2)]
    refused = fd("fd", few[0], few[1])
    assert isinstance(refused, Unmeasured) and refused.why.startswith("60 images for 16 features")
    assert fd("fd", *enough).told().low < fd("fd", *enough).told().value
    biased, kept = frechet(features(20, 16), features(20, 16, seed=1)), frechet(*(one.features for one in enough))
    assert biased > 5 * kept, "of one and the same distribution"
