"""Halved images: what an enlarger inverts."""

import numpy as np
import torch
from PIL import Image

from dgn.networks.reduced import Reduced


def test_images_are_halved_as_pillow_halves_them():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    smooth = Image.fromarray(pixels).resize((12, 8)).resize((48, 32))
    wanted = np.asarray(smooth.resize((24, 16), Image.Resampling.BICUBIC), np.float32) / 255
    x = torch.from_numpy(np.asarray(smooth).copy()).permute(2, 0, 1)[None] / 255
    torch.testing.assert_close(Reduced()(x)[0].permute(1, 2, 0), torch.from_numpy(wanted), rtol=0, atol=2 / 255)


def test_values_stay_in_their_range():
    x = (torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    halved = Reduced()(x)
    assert halved.min() >= 0 and halved.max() <= 1
