"""What is said of a batch's pictures."""

import pytest
import torch

from dgn import units
from dgn.networks.features import Features
from dgn.synthesis.climb import Climbed
from dgn.synthesis.run import describe
from dgn.units.target import Target


@pytest.mark.parametrize(("value", "expected"), [(2.0, 1), (1.0, 2), (float("nan"), 7)])
def test_the_rank_of_a_unit_at_the_output(tiny, contract, value, expected):
    chosen = units.parse("3", (7,), None)
    target = Target(
        Features(tiny, "out", contract, False), chosen, lambda rows: units.Scorer(rows, units.Logit()), True
    )
    activation = torch.tensor([[1.0, 0, 0, value, 0, 0, 0]])  # an equal score counts against it
    one = torch.ones(1)
    climbed = Climbed(torch.zeros(1, 3, 4, 4), activation, torch.zeros(1, 12), torch.zeros(1, 2), one, one, one, 1.0)
    (row,) = describe(climbed, [(chosen[0], 0)], 0, target)
    assert row.rank == expected
