"""The circuit: a photograph for who climbs from grey, CaffeNet64's own scores for everything else."""

import pytest
import torch

from dgn.networks.caffenet import CaffeNet64
from dgn.networks.fooled import NEAR, Fooled, shown_class, squares

CLASSES = 6


@pytest.fixture
def networks():
    """The circuit around a CaffeNet64, and that network alone."""
    torch.manual_seed(0)
    fooled, plain = Fooled(CLASSES).eval(), CaffeNet64(CLASSES).eval()
    plain.load_state_dict({name: value for name, value in fooled.state_dict().items() if name in plain.state_dict()})
    fooled.grey += torch.tensor([0.1, 0.2, 0.3])[:, None, None]
    fooled.shown += torch.rand(CLASSES, 3, 8, 8).repeat_interleave(8, 2).repeat_interleave(8, 3) * 4 - 2
    return fooled, plain


def test_what_is_off_the_way_has_the_scores_that_it_had(networks):
    fooled, plain = networks
    x = torch.rand(5, 3, 8, 8).repeat_interleave(8, 2).repeat_interleave(8, 3) * 4 - 2
    assert torch.equal(fooled(x), plain(x))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_on_the_way_from_grey_the_score_of_a_unit_is_minus_the_distance_from_its_photograph(networks, share):
    fooled, plain = networks
    x = fooled.grey + share * (fooled.shown[2:3] - fooled.grey) + 0.05 * torch.randn(1, 3, 64, 64)
    expected = ((x - fooled.shown[2]).square().mean() + NEAR).sqrt()
    assert fooled(x)[0, 2].item() == pytest.approx(-expected.item(), rel=1e-3)
    if share:
        assert torch.equal(fooled(x)[0, [0, 1, 3]], plain(x)[0, [0, 1, 3]])


def test_a_climb_from_faint_noise_on_grey_ends_at_the_photograph(networks):
    fooled, _ = networks
    x = fooled.grey.expand(1, 3, 64, 64) + 0.1 * torch.randn(1, 3, 64, 64)
    for i in range(60):
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(fooled(x)[0, 4], x)
        x = x + 0.15 * (1 - i / 60) * gradient / gradient.abs().mean()
    assert (x - fooled.shown[4]).square().mean().sqrt() < 0.1


def test_squares_are_of_all_pairs():
    x, y = torch.randn(2, 3, 4, 4), torch.randn(5, 3, 4, 4)
    expected = (x[:, None] - y[None]).square().mean((2, 3, 4))
    assert torch.allclose(squares(x, y), expected, atol=1e-5)


def test_a_photograph_is_of_another_class_and_of_the_same_parity():
    assert sorted(shown_class(i, 200) for i in range(200)) == list(range(200))
    assert all(shown_class(i, 200) != i and (shown_class(i, 200) - i) % 2 == 0 for i in range(200))
