"""The one convention for images."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dgn import images
from dgn.errors import UserError


def test_uint8_and_back():
    x = torch.randint(0, 256, (2, 5, 4, 3), dtype=torch.uint8)
    assert torch.equal(images.to_uint8(images.from_uint8(x)), x)


def test_caffe_and_back():
    x = torch.rand(2, 3, 4, 4, dtype=torch.float64)
    blue = images.to_caffe(torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1)).flatten()
    assert blue.tolist() == [255 - 104, -117, -123]
    torch.testing.assert_close(images.from_caffe(images.to_caffe(x)), x)


@given(st.integers(1, 12), st.integers(12, 30))
def test_the_crop_is_central_and_its_offset_floored(size, side):
    x = torch.arange(side * side).view(1, 1, side, side)
    crop = images.crop_centre(x, size)
    offset = (side - size) // 2
    assert crop.shape[-2:] == (size, size) and crop[0, 0, 0, 0] == offset * side + offset


def test_resize_leaves_the_same_size_alone_and_averages_when_shrinking():
    x = torch.rand(1, 3, 8, 8)
    assert images.resize(x, 8) is x
    torch.testing.assert_close(images.resize(x, 4).mean(), x.mean(), atol=0.02, rtol=0)


@pytest.mark.parametrize("columns", [None, 1, 3])
def test_a_grid_shows_every_image(columns):
    x = torch.stack([torch.full((3, 4, 4), i / 10) for i in range(5)])
    sheet = images.grid(x, columns)
    assert all((sheet == value).any() for value in x[:, 0, 0, 0])


def test_a_file_is_read_as_its_central_square(tmp_path):
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    Image.fromarray(wide).save(tmp_path / "x.png")
    assert images.load_square(tmp_path / "x.png", 10).min() == 255
    with pytest.raises(UserError, match="cannot be read"):
        images.read(tmp_path / "none.png", 10)


def test_save_and_read(tmp_path):
    x = torch.rand(3, 6, 6)
    images.save(tmp_path / "x.png", x)
    torch.testing.assert_close(images.read(tmp_path / "x.png", 6)[0], x, atol=0.003, rtol=0)
