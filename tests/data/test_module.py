"""Batches are pure functions of seed and position."""

from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dgn.data.module import Augment, DataModule, Endless, reflect
from dgn.data.sources import imagefolder


def module(root, **more):
    train, val = imagefolder(str(root), size=20, held_out=2)
    settings = {"batch_size": 5, "workers": 0, "seed": 3, "memory_gib": 1, "val_images": None} | more
    augment = Augment(crop=16, pad=2, flip=True, brightness=0.2)
    return DataModule(train=train, val=val, name="test", augment=augment, **settings)


def batches(data, count):
    return [batch[0] for batch in islice(iter(data.train_dataloader()), count)]


@given(st.integers(1, 30), st.integers(1, 8), st.integers(0, 50))
def test_the_order_goes_on_from_anywhere(size, batch, start):
    whole = list(islice(iter(Endless(size, batch, seed=1)), start + 3))
    assert list(islice(iter(Endless(size, batch, seed=1, start=start)), 3)) == whole[start:]


@given(st.integers(1, 30), st.integers(1, 4), st.integers(1, 3))
def test_an_epoch_is_every_image_once_and_ranks_share_it(size, batch, world):
    parts = [list(islice(iter(Endless(size, batch, 1, rank=r, world=world)), 2 * size)) for r in range(world)]
    together = [item for step in zip(*parts, strict=True) for share in step for item in share]
    for epoch in range(2):
        assert sorted(i for e, i in together if e == epoch) == list(range(size))
    one = [item for step in islice(iter(Endless(size, batch * world, 1)), 2 * size) for item in step]
    assert sorted(one) == sorted(together)


def test_batches_repeat_and_resume(image_tree):
    first = batches(module(image_tree), 6)
    assert all(torch.equal(a, b) for a, b in zip(first, batches(module(image_tree), 6), strict=True))
    later = module(image_tree)
    later.start = 4
    assert all(torch.equal(a, b) for a, b in zip(first[4:], batches(later, 2), strict=True))
    assert not torch.equal(first[0], batches(module(image_tree, seed=4), 1)[0])


@pytest.mark.slow
def test_workers_and_memory_change_nothing(image_tree):
    expected = batches(module(image_tree), 4)
    for workers in (0, 2):
        found = batches(module(image_tree, memory_gib=0, workers=workers), 4)
        assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


def test_validation_is_every_image_once_in_order_and_plain(image_tree):
    data = module(image_tree)
    index = torch.cat([batch[2] for batch in data.val_dataloader()])
    assert index.tolist() == list(range(6))
    plain = torch.cat([batch[0] for batch in data.plain(100)])
    assert plain.shape == (12, 3, 16, 16)
    few = torch.cat([batch[2] for batch in module(image_tree, val_images=3).val_dataloader()])
    assert few.tolist() == [0, 2, 5]


def test_augmentation_literally():
    image = np.arange(6 * 6 * 3, dtype=np.uint8).reshape(1, 6, 6, 3)
    numbers = np.array([[0.5, 0.0, 0.9, 0.5]], np.float32)
    out = Augment(crop=4, pad=1, flip=True, brightness=0.5)(image, numbers)
    padded = np.pad(image[0], ((1, 1), (1, 1), (0, 0)), mode="reflect")
    expected = padded[2:6, 0:4] / 255  # five offsets, number 0.5 is the third
    torch.testing.assert_close(out[0], torch.from_numpy(expected).permute(2, 0, 1).float())
    flipped = Augment(crop=4, pad=1, flip=True, brightness=0)(image, np.array([[0.5, 0.0, 0.1, 0]], np.float32))
    torch.testing.assert_close(flipped.flip(3), out)


@given(st.integers(-5, 10), st.just(6))
def test_reflection(position, size):
    expected = np.pad(np.arange(size), 5, mode="reflect")[position + 5]
    assert reflect(np.array([position]), size)[0] == expected
