"""Augmentation is what its numbers say."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from dgn.data.augment import Augment, to_float


def test_augmentation_literally():
    image = np.arange(6 * 6 * 3, dtype=np.uint8).reshape(1, 6, 6, 3)
    numbers = np.array([[0.5, 0.0, 0.9, 0.5]], np.float32)
    out = to_float(*Augment(crop=4, pad=1, flip=True, brightness=0.5)(image, numbers))
    padded = np.pad(image[0], ((1, 1), (1, 1), (0, 0)), mode="reflect")
    expected = padded[2:6, 0:4] / 255  # five offsets, number 0.5 is the third
    torch.testing.assert_close(out[0], torch.from_numpy(expected).permute(2, 0, 1).float())
    flipped = Augment(crop=4, pad=1, flip=True, brightness=0.5)(image, np.array([[0.5, 0.0, 0.1, 0.9]], np.float32))
    expected = np.clip(expected[:, ::-1] * 1.4, 0, 1)
    torch.testing.assert_close(to_float(*flipped)[0], torch.from_numpy(expected).permute(2, 0, 1).float())


def test_light_is_clipped():
    pixels = np.array([100, 200], np.uint8).reshape(2, 1, 1, 1).repeat(3, 3)
    out = to_float(pixels, np.array([0.5, 1.5], np.float32))
    torch.testing.assert_close(out[:, 0, 0, 0], torch.tensor([50 / 255, 1.0]))


@given(st.integers(1, 12), st.integers(0, 4), st.data())
def test_every_offset_is_reached_and_none_beyond(size, pad, data):
    crop = data.draw(st.integers(1, size))
    image = np.arange(size * size, dtype=np.uint8).reshape(1, size, size, 1).repeat(3, 3)
    last = np.float32(1 - 2**-24)  # the largest that a generator gives
    numbers = np.array([[0, 0, 0.9, 0], [last, last, 0.9, 0]], np.float32)
    (first, end), light = Augment(crop, pad, flip=True, brightness=0)(image.repeat(2, 0), numbers)
    padded = np.pad(image[0, ..., 0], pad, mode="reflect")
    assert np.array_equal(first[..., 0], padded[:crop, :crop])
    assert np.array_equal(end[..., 0], padded[-crop:, -crop:])
    assert (light == 1).all()


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_an_image_does_not_depend_on_those_beside_it(count, seed):
    random = np.random.default_rng(seed)
    batch = random.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    numbers = random.random((count, Augment.numbers), np.float32)
    augment = Augment(crop=6, pad=2, flip=True, brightness=0.3)
    alone = torch.cat([to_float(*augment(batch[i : i + 1], numbers[i : i + 1])) for i in range(count)])
    assert torch.equal(to_float(*augment(batch, numbers)), alone)


def test_the_plain_image_is_the_centre():
    batch = np.random.default_rng(0).integers(0, 256, (2, 7, 7, 3), dtype=np.uint8)
    out = to_float(*Augment(crop=4, pad=3, flip=True, brightness=1).plain(batch))
    torch.testing.assert_close(out, torch.from_numpy(batch[:, 1:5, 1:5]).permute(0, 3, 1, 2) / 255)
