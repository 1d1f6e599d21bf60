"""The losses against literal lines."""

import numpy as np
import torch
from torch.nn import functional as F

from dgn.training import losses


def test_the_released_image_term():
    """2e-6 x half the sum over 3x227x227 of squared differences on 0-255, mean over the batch (Caffe's Euclidean)."""
    x, y = torch.rand(2, 3, 227, 227, dtype=torch.float64), torch.rand(2, 3, 227, 227, dtype=torch.float64)
    literal = 0.0
    for a, b in zip(x.numpy() * 255, y.numpy() * 255, strict=True):
        literal += np.sum((a - b) ** 2) / 2 / 2
    found = 2e-6 * losses.half_sum(x, y, scale=255)
    torch.testing.assert_close(found, torch.tensor(2e-6 * literal, dtype=torch.float64))


def test_the_released_feature_term():
    x, y = torch.rand(3, 256, 6, 6, dtype=torch.float64), torch.rand(3, 256, 6, 6, dtype=torch.float64)
    literal = sum(float(((x[i] - y[i]) ** 2).sum()) / 2 for i in range(3)) / 3
    found = losses.features(losses.half_sum, {"pool5": x}, {"pool5": y}, {"pool5": 0.01})
    torch.testing.assert_close(found, torch.tensor(0.01 * literal, dtype=torch.float64))


def test_log_loss_calls_real_zero_and_fake_one():
    logits = torch.randn(4, 2, dtype=torch.float64)
    probability = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(1, keepdims=True)
    torch.testing.assert_close(losses.LogLoss.real(logits).item(), -np.log(probability[:, 0]).mean())
    torch.testing.assert_close(losses.LogLoss.fake(logits).item(), -np.log(probability[:, 1]).mean())
    assert losses.LogLoss.wish(logits) == losses.LogLoss.real(logits)


def test_hinge():
    logits = torch.tensor([[-2.0], [0.5], [3.0]])
    assert losses.Hinge.real(logits) == (3 + 0.5 + 0) / 3
    assert losses.Hinge.fake(logits) == (0 + 1.5 + 4) / 3
    assert losses.Hinge.wish(logits) == -0.5


def test_relative_and_mean_square():
    x = torch.rand(3, 4, 2, 2)
    assert losses.relative(x, x) == 0
    torch.testing.assert_close(losses.relative(x, torch.zeros_like(x)), torch.tensor(1.0))
    y = torch.rand(3, 4, 2, 2)
    torch.testing.assert_close(losses.mean_square(x, y, variance=0.5), 2 * F.mse_loss(x, y))


def test_layers_add_up_by_their_weights():
    x = {"a": torch.ones(1, 2), "b": torch.ones(1, 3)}
    y = {"a": torch.zeros(1, 2), "b": torch.zeros(1, 3)}
    assert losses.features(losses.half_sum, x, y, {"a": 1.0, "b": 2.0}) == 1 + 2 * 1.5


def test_an_image_without_features_does_not_outweigh_the_batch():
    x, y = torch.ones(4, 10), torch.zeros(4, 10)
    x[0], y[0] = 0, 1
    assert losses.relative(x, y).item() < 400  # and not 1e12
    assert losses.relative(torch.zeros(2, 3), torch.zeros(2, 3)).item() == 0
