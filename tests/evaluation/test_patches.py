"""Real images cut to what a unit of a map sees."""

import torch

from dgn import units
from dgn.evaluation import patches
from dgn.networks.features import Features
from dgn.networks.receptive_field import Field
from dgn.units.target import Target

FIELD = Field("conv", [(0, 2), (1, 4), (3, 6)], [(0, 3), (2, 5), (4, 7)], 2.0)


def test_a_unit_is_read_at_its_own_place_or_where_its_sum_is_highest():
    values = torch.zeros(2, 3, 3)
    values[0, 2, 1], values[1, 0, 2] = 5, 4
    texts = ["0", "0@1x2", "1@max", "-0", "0.5*0+1*1"]
    found = [patches.place(values, unit) for unit in units.parse(texts, (2, 3, 3), None)]
    assert found == [(2, 1), (1, 2), (0, 2), (0, 0), (0, 2)]


def test_a_patch_is_the_rows_and_columns_that_reach_the_place():
    image = torch.arange(64.0).view(1, 8, 8)
    assert torch.equal(patches.patch(image, FIELD, (1, 2)), image[:, 1:5, 4:8])
    assert patches.patch(image, FIELD, (0, 0)).shape == (1, 3, 4), "smaller at the border"


def test_what_is_outside_a_patch_does_not_move_the_unit(tiny, contract):
    unit = units.parse(["3"], (8, 16, 16), None)[0]
    target = Target(Features(tiny, "conv", contract, False), [unit], None, False, maps=["conv"])
    image = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
    values = target.features(image[None])[0]
    row, column = patches.place(values, unit)
    found = patches.cutter(target)(image, unit)
    assert max(found.shape[1:]) <= 3
    other = torch.zeros_like(image)
    top, left = max(row - 1, 0), max(column - 1, 0)
    other[:, top : top + found.shape[1], left : left + found.shape[2]] = found
    torch.testing.assert_close(target.features(other[None])[0, 3, row, column], values[3, row, column])
    assert patches.cutter(Target(Features(tiny, "fc", contract, False), [], None, False)) is None
