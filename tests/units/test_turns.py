"""A sum whose terms are climbed in turn: the value of the sum, the gradient of one term."""

import pytest
import torch

from dgn import units


@pytest.mark.parametrize("turn", range(6))
def test_a_step_follows_one_term_of_each_row_and_shows_the_value_of_the_sum(turn):
    x = torch.randn(3, 10, generator=torch.Generator().manual_seed(0)).requires_grad_()
    chosen = units.parse(["0.5*1+0.25*2", "3", "1*4+5-6"], (10,), None)
    turns = units.Turns(chosen, units.Alternate())
    turns.turn = turn
    score = turns(x)
    torch.testing.assert_close(score, units.Scorer(chosen, units.Logit())(x))
    (gradient,) = torch.autograd.grad(score.sum(), x)
    expected = torch.zeros_like(x)
    for row, terms in enumerate(([(1, 0.5), (2, 0.25)], [(3, 1.0)], [(4, 1.0), (5, 1.0), (6, -1.0)])):
        element, weight = terms[turn % len(terms)]
        expected[row, element] = weight
    assert torch.equal(gradient, expected)


def test_terms_in_several_layers_have_their_turns():
    layers = {"a": torch.randn(1, 4).requires_grad_(), "b": torch.randn(1, 4).requires_grad_()}
    at = {name: units.Elements((4,), None, name, None, None) for name in layers}
    turns = units.Turns(units.parse_in(["a:1+b:2"], at, None, "a"), units.Alternate())
    for turn, name in enumerate(layers):
        turns.turn = turn
        gradients = torch.autograd.grad(turns(layers).sum(), list(layers.values()))
        assert [bool(one.any()) for one in gradients] == [name == other for other in layers]
