"""How a code moves."""

import torch

from dgn.synthesis.ascent import NormalisedGradient, climb_adam


def test_the_step_is_the_gradient_over_its_mean_absolute_value():
    code = torch.nn.Parameter(torch.zeros(2, 3))
    code.grad = torch.tensor([[1.0, -2.0, 3.0], [0.0, 0.0, 6.0]])
    NormalisedGradient([code], lr=4.0).step()
    assert code.tolist() == [[2.0, -4.0, 6.0], [0.0, 0.0, 12.0]]


def test_a_zero_gradient_moves_nothing():
    code = torch.nn.Parameter(torch.ones(1, 3))
    code.grad = torch.zeros(1, 3)
    NormalisedGradient([code], lr=4.0).step()
    assert code.tolist() == [[1, 1, 1]]


def test_adam_climbs():
    code = torch.nn.Parameter(torch.zeros(1, 2))
    code.grad = torch.tensor([[1.0, -1.0]])
    climb_adam([code], lr=0.1).step()
    torch.testing.assert_close(code.data, torch.tensor([[0.1, -0.1]]))
