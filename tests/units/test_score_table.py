"""A table of scores has what `Scorer` gives for each unit and image."""

import numpy as np
import pytest
import torch

from dgn import units
from dgn.units.score_table import ScoreTable


class Ratio:
    """An objective from outside the package, which depends on what the unit names."""

    def __call__(self, values: torch.Tensor, named: torch.Tensor) -> torch.Tensor:
        return values / (values.abs() * ~named).sum(1, keepdim=True)


OBJECTIVES = [units.Logit(), units.LogProbability(), units.Margin(), Ratio()]
ITEMS = {
    (10,): ["0-9", "-3", "0.5*1+0.5*7", "2-4", "1*1-2-3-4", "5*4-2"],
    (6, 3, 4): ["0-5@mean", "2@max", "-1@2x3", "0@0x0", "0.5*1@max+2*3@2x0", "4"],
    (5, 6): ["3", "2@cls", "1@3", "-5@max", "0.5*0@cls+0.5*4@mean"],
    (1,): ["0"],
}


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: type(objective).__name__)
@pytest.mark.parametrize("shape", ITEMS, ids=str)
def test_each_column_is_what_the_scorer_gives(shape, objective):
    activation = torch.randn(7, *shape, generator=torch.Generator().manual_seed(0))
    chosen = units.parse(ITEMS[shape], shape, None)
    expected = [units.Scorer([unit] * 7, objective)(activation) for unit in chosen]
    table = ScoreTable(chosen, objective)
    torch.testing.assert_close(table(activation), torch.stack(expected, 1))
    torch.testing.assert_close(table(activation[:2]), torch.stack(expected, 1)[:2])


def test_a_margin_over_nothing_is_the_value():
    x = torch.randn(4, 3)
    (both,) = ScoreTable(units.parse(["0+1+2"], (3,), None), units.Margin())(x).T
    torch.testing.assert_close(both, x.sum(1))


def test_directions(tmp_path):
    direction = torch.tensor([1.0, -2, 0.5])
    np.save(tmp_path / "d.npy", direction.numpy())
    x = torch.randn(5, 3, 2, 2)
    place, largest = ("".join((f"{tmp_path}/d.npy", where)) for where in ("@1x0", "@max"))
    found = ScoreTable(units.parse([place, largest, "2@max"], (3, 2, 2), None), units.Logit())(x)
    along = torch.einsum("nchw,c->nhw", x, direction)
    torch.testing.assert_close(found, torch.stack([along[:, 1, 0], along.amax((1, 2)), x[:, 2].amax((1, 2))], 1))


@pytest.mark.parametrize("objective", OBJECTIVES[:3], ids=lambda objective: type(objective).__name__)
def test_units_of_several_layers(objective):
    drawn = torch.Generator().manual_seed(0)
    x = {"fc": torch.randn(7, 10, generator=drawn), "conv": torch.randn(7, 6, 3, 4, generator=drawn)}
    at = {layer: units.Elements(activation.shape[1:], None) for layer, activation in x.items()}
    chosen = units.parse_in(["0", "conv:1@max+0.5*fc:3-fc:2", "-conv:2@1x1", "4-conv:4"], at, None, "fc")
    rows = units.Scorer(chosen, objective)({layer: activation[:4] for layer, activation in x.items()})
    table = ScoreTable(chosen, objective)(x)
    torch.testing.assert_close(table[:4].diagonal(), rows)

    def alone(layer, item, rows):
        return units.Scorer(units.parse([item] * rows, x[layer].shape[1:], None), objective)(x[layer][:rows])

    torch.testing.assert_close(table[:, 0], alone("fc", "0", 7))
    torch.testing.assert_close(table[:, 1], alone("conv", "1@max", 7) + alone("fc", "0.5*3-2", 7))
    torch.testing.assert_close(table[:, 3], alone("fc", "4", 7) - alone("conv", "4", 7))
    with pytest.raises(ValueError, match="need the activations of all"):
        ScoreTable(chosen, objective)(x["fc"])


def test_a_row_without_a_term_in_a_layer_is_not_spoilt_by_it():
    maps = torch.zeros(2, 3, 2, 2)
    maps[0] = torch.nan
    maps.requires_grad_()
    vector = torch.ones(2, 4, requires_grad=True)
    at = {"conv": units.Elements((3, 2, 2), None), "fc": units.Elements((4,), None)}
    chosen = units.parse_in(["fc:1", "fc:2+conv:1"], at, None, "fc")
    found = units.Scorer(chosen, units.LogProbability())({"conv": maps, "fc": vector})
    found.sum().backward()
    assert torch.isfinite(found).all() and torch.isfinite(vector.grad).all() and torch.isfinite(maps.grad).all()
