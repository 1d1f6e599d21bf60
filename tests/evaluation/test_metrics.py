"""Inversion errors against their definitions."""

import pytest
import torch

from dgn.evaluation import metrics


def measured(x, y, batch=3, **more):
    """Both figures, seen a batch at a time."""
    targets, residuals = metrics.Targets(**more), metrics.Residuals()
    for part, other in zip(x.split(batch), y.split(batch), strict=True):
        targets.update(part)
        residuals.update(part, other)
    return metrics.inversion_error(targets, residuals), metrics.unexplained(targets, residuals)


def test_the_normalised_inversion_error():
    x, y = torch.randn(5, 7), torch.randn(5, 7)
    pairs = [(x[i] - x[j]).norm() for i in range(5) for j in range(i)]
    expected = 100 * torch.stack([(a - b).norm() for a, b in zip(x, y, strict=True)]).mean() / torch.stack(pairs).mean()
    assert measured(x, y)[0] == pytest.approx(expected.item(), rel=1e-5)
    assert measured(x, x) == (0, 0)


def test_batches_change_nothing_and_pairs_are_drawn_evenly_from_all():
    x = torch.randn(400, 2, 3, generator=torch.Generator().manual_seed(0)) + torch.arange(400)[:, None, None] / 100
    y = x.roll(1, 0)
    whole = measured(x, y, batch=400)
    assert measured(x, y, batch=7) == pytest.approx(whole, rel=1e-4)
    assert measured(x, y, batch=7, most=100)[0] == pytest.approx(whole[0], rel=0.1)  # in class order, all the same
    kept = metrics.Targets(most=10)
    for part in x.split(7):
        kept.update(part)
    assert kept.kept.shape == (10, 6)


def test_probabilities_of_logits_and_of_probabilities():
    logits = torch.tensor([[2.0, 0, -1], [0.2, 0.3, 0.4]])
    torch.testing.assert_close(metrics.probabilities(logits), logits.softmax(1))
    torch.testing.assert_close(metrics.probabilities(logits.softmax(1)), logits.softmax(1))


def test_ranks_count_equal_scores_against_the_label():
    scores = torch.tensor([[0.1, 0.9, 0.5], [0.5, 0.5, 0.2], [3.0, 2.0, 1.0]])
    found = metrics.ranks(scores, torch.tensor([1, 0, 2])).tolist()
    assert found == [1, 2, 3]
    assert (metrics.top(found, 1), metrics.top(found, 2)) == (pytest.approx(100 / 3), pytest.approx(200 / 3))


def test_what_is_not_a_number_never_ranks_first():
    nan = float("nan")
    scores = torch.tensor([[nan, 0.9, 0.5], [nan, nan, nan], [nan, 0.9, 0.5]])
    assert metrics.ranks(scores, torch.tensor([0, 1, 1])).tolist() == [3, 3, 2]


def test_unexplained_is_one_for_the_mean():
    x = torch.randn(6, 3, 2, 2) + 100
    assert measured(x, x.mean(0).expand_as(x))[1] == pytest.approx(1, rel=1e-4)


def test_a_share_of_nothing_is_no_number():
    assert metrics.top([], 1) != metrics.top([], 1)
