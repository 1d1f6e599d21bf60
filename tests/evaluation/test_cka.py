"""Linear CKA against the paper's formula written out, and what it must not depend on."""

import pytest
import torch

from dgn.base.errors import UserError
from dgn.evaluation import cka


def draw(count, width, seed=0):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def literal(x, y):
    """HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)), HSIC(K, L) = tr(KHLH) / (n - 1)², H the centring matrix."""
    n = len(x)
    centre = torch.eye(n, dtype=x.dtype) - 1 / n

    def hsic(k, m):
        return torch.trace(k @ centre @ m @ centre) / (n - 1) ** 2

    k, m = x @ x.T, y @ y.T
    return float(hsic(k, m) / (hsic(k, k) * hsic(m, m)).sqrt())


@pytest.mark.parametrize(("count", "first", "second"), [(30, 5, 7), (10, 40, 25), (20, 50, 3)])
def test_it_is_the_formula(count, first, second):
    x, y = draw(count, first) + 2, draw(count, second, seed=1)
    y[:, :3] += x[:, :3]
    assert cka.linear(x, y) == pytest.approx(literal(x, y), rel=1e-10)


def test_turned_scaled_and_shifted_features_are_the_same_and_order_does_not_matter():
    x, y = draw(40, 6), draw(40, 9, seed=1)
    turn = torch.linalg.qr(draw(6, 6, seed=2))[0]
    assert cka.linear(x, 3 * x @ turn + 1) == pytest.approx(1)
    assert cka.linear(x, y) == pytest.approx(cka.linear(y, x))
    assert 0 <= cka.linear(x, y) < 0.3
    mixed = [cka.linear(x, share * x + (1 - share) * draw(40, 6, seed=3)) for share in (0, 0.3, 0.6, 1)]
    assert mixed == sorted(mixed)


def test_features_that_do_not_vary_are_refused():
    with pytest.raises(UserError, match="the same features for all images"):
        cka.linear(draw(5, 3), torch.ones(5, 3))
