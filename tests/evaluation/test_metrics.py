"""Inversion errors against their definitions."""

import pytest
import torch

from dgn.evaluation import metrics


def test_the_normalised_inversion_error():
    x, y = torch.randn(5, 7), torch.randn(5, 7)
    pairs = [(x[i] - x[j]).norm() for i in range(5) for j in range(i)]
    expected = 100 * torch.stack([(a - b).norm() for a, b in zip(x, y, strict=True)]).mean() / torch.stack(pairs).mean()
    assert metrics.inversion_error(x, y) == pytest.approx(expected.item(), rel=1e-5)
    assert metrics.inversion_error(x, x) == 0


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
    x = torch.randn(6, 3, 2, 2)
    assert metrics.unexplained(x, x.mean(0).expand_as(x)) == pytest.approx(1, rel=1e-5)
    assert metrics.unexplained(x, x) == 0
