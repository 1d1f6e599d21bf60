"""What comes again in a picture: tilings above photographs, and what must not count."""

import numpy as np
import pytest
import torch

from dgn.data.sources import photos
from dgn.measures.repeated import repeated


def noise(count, side, seed=0):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def tiled(x, period, side=64):
    """The corner of each picture, again and again."""
    times = -(-side // period)
    return x[:, :, :period, :period].repeat(1, 1, times, times)[:, :, :side, :side]


@pytest.fixture(scope="module")
def photographs():
    """Crops of photographs, (60, 3, 64, 64)."""
    source, _ = photos(size=64, count=60)
    return torch.from_numpy(np.stack([source.load(i) for i in range(60)])).permute(0, 3, 1, 2) / 255


@pytest.mark.parametrize("period", [8, 13, 16, 21, 27, 32])
def test_a_tiling_is_all_repetition_and_noise_has_none(period):
    assert repeated(tiled(noise(4, 64), period)).min() > 0.95
    assert repeated(noise(20, 64)).max() < 0.3


def test_plain_pictures_shades_and_edges_do_not_count():
    ramp = torch.linspace(0, 1, 64).expand(64, 64)
    edge, diagonal = (ramp > 0.5).float(), (ramp + ramp.T > 1).float()
    found = repeated(torch.stack([torch.full((64, 64), 0.5), ramp, edge, edge.T, diagonal])[:, None])
    assert found.max() < 0.2


def test_a_symmetric_thing_does_not_count():
    half = noise(20, 64)[..., :32]
    assert repeated(torch.cat([half, half.flip(-1)], -1)).max() < 0.3


def test_turning_and_mirroring_change_nothing_and_rows_are_apart():
    x = noise(6, 32) + tiled(noise(6, 32, seed=1), 11, 32)
    found = repeated(x)
    for other in (x.flip(-1), x.flip(-2), x.transpose(-1, -2), 1 - x, 0.3 * x + 0.2):
        torch.testing.assert_close(repeated(other), found, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(torch.cat([repeated(one[None]) for one in x]), found)


def test_tilings_of_photographs_stand_above_photographs(photographs):
    single = repeated(photographs)
    for period in (12, 16, 24):
        tilings = repeated(tiled(photographs, period))
        above = (tilings[:, None] > single[None]).double().mean()
        assert above > 0.95, "the chance that a tiling has more than a photograph"


def test_the_more_noise_covers_a_tiling_the_less_it_repeats():
    x, other = tiled(noise(8, 64), 16), noise(8, 64, seed=1)
    means = [float(repeated((1 - share) * x + share * other).mean()) for share in (0, 0.3, 0.5, 0.7, 1)]
    assert means == sorted(means, reverse=True)
