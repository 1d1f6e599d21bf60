"""Small networks of other patterns."""

import pytest
import torch

from dgn.networks.caffenet import CaffeNet64
from dgn.networks.small import ResNet64, Vgg64


@pytest.mark.parametrize("kind", [Vgg64, ResNet64])
@pytest.mark.parametrize("size", [40, 48, 64])
def test_they_take_images_of_the_sizes_of_training(kind, size):
    network = kind(classes=7).eval()
    assert network(torch.zeros(2, 3, size, size)).shape == (2, 7)
    assert sum(p.numel() for p in network.parameters()) < 6e6


def test_twice_as_wide_is_four_times_as_many_weights():
    narrow, wide = (sum(p.numel() for p in CaffeNet64(2, width=n).parameters() if p.ndim > 1) for n in (1, 2))
    assert wide == pytest.approx(4 * narrow, rel=0.02)
