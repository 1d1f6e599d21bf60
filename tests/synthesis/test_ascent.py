"""How a code moves."""

from contextlib import nullcontext
from typing import get_type_hints

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from dgn.synthesis.ascent import NormalisedGradient, PlainGradient, climb_adam


def test_the_step_is_the_gradient_over_its_mean_absolute_value():
    code = torch.nn.Parameter(torch.zeros(2, 3))
    code.grad = torch.tensor([[1.0, -2.0, 3.0], [0.0, 0.0, 6.0]])
    NormalisedGradient([code], lr=4.0).step()
    assert code.tolist() == [[2.0, -4.0, 6.0], [0.0, 0.0, 12.0]]


@pytest.mark.parametrize(("progress", "expected"), [(None, [[6.0, 8.0], [0.6, 0.8]]), (5.0, [[0.6, 0.8], [0.6, 0.8]])])
def test_a_plain_step_is_shorter_where_the_score_would_rise_too_much(progress, expected):
    """Of a linear score the first row would rise by 2 · 5² = 50 of which 5 are allowed, the second by 0.5."""
    code = torch.nn.Parameter(torch.zeros(2, 2))
    code.grad = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    PlainGradient([code], lr=2.0, progress=progress).step()
    torch.testing.assert_close(code.detach(), torch.tensor(expected))


def test_a_zero_gradient_moves_nothing():
    code = torch.nn.Parameter(torch.ones(1, 3))
    code.grad = torch.zeros(1, 3)
    NormalisedGradient([code], lr=4.0).step()
    assert code.tolist() == [[1, 1, 1]]


@pytest.mark.parametrize(("rate", "fits"), [(0.5, True), (0, False), (-1, False), (float("nan"), False)])
def test_a_rate_is_declared_to_be_above_zero(rate, fits):
    for kind in (NormalisedGradient, PlainGradient, climb_adam):
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
