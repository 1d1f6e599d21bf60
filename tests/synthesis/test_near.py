"""Codes near those that their climbs began with."""

import pytest
import torch

from dgn.generators.decoder import measured
from dgn.synthesis.near import Near
from dgn.synthesis.priors import Step


@pytest.mark.parametrize("flat", [True, False])
def test_near_keeps_codes_within_a_distance_of_where_their_climbs_began(moments, flat):
    found = moments if flat else measured(torch.randn(40, 2, 3, 3, generator=torch.Generator().manual_seed(5)))
    shape = (12,) if flat else (2, 3, 3)
    near = Near(found, max_distance=0.5, max_mahalanobis=None, k=100, lower="auto", shrink=1)
    start = found.mean.expand(3, *shape) + 0.5
    code = start + torch.tensor([0.0, 1e-3, 5.0]).view(3, *[1] * len(shape))
    kept = near.after(code, Step(3, [0, 1, 2], code, start, torch.zeros(3, 3, 1, 1), code))
    moved = kept - start
    size = (moved @ found.inverse_axes if flat else moved / found.std).flatten(1).square().mean(1).sqrt()
    torch.testing.assert_close(kept[0], start[0])
    assert size[1] < 0.1
    assert size[2] == pytest.approx(0.5, rel=1e-3)
