"""How a code moves."""

from contextlib import nullcontext
from typing import get_type_hints

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

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


@pytest.mark.parametrize(("rate", "fits"), [(0.5, True), (0, False), (-1, False), (float("nan"), False)])
def test_a_rate_is_declared_to_be_above_zero(rate, fits):
    for kind in (NormalisedGradient, climb_adam):
        declared = TypeAdapter(
            get_type_hints(kind.__init__ if isinstance(kind, type) else kind, include_extras=True)["lr"]
        )
        with nullcontext() if fits else pytest.raises(ValidationError):
            declared.validate_python(rate)


def test_adam_climbs():
    code = torch.nn.Parameter(torch.zeros(1, 2))
    code.grad = torch.tensor([[1.0, -1.0]])
    climb_adam([code], lr=0.1).step()
    torch.testing.assert_close(code.data, torch.tensor([[0.1, -0.1]]))
