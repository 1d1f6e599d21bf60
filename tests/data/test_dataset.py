"""Batches are pure functions of seed and position, with images that cannot be read among them."""

from itertools import islice

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgn.base.images import Unreadable
from dgn.data.augment import Augment
from dgn.data.dataset import Images
from dgn.data.order import Endless
from dgn.data.sources import Source


class Numbers(Source):
    """Image i has the value i everywhere and the class 10 i; those in `broken` cannot be read."""

    size = 4

    def __init__(self, count, broken=()):
        self.labels, self.classes, self.broken = 10 * np.arange(count), [], broken

    def load(self, index):
        if index in self.broken:
            raise Unreadable("it is broken")
        return np.full((self.size, self.size, 3), index, np.uint8)

    def name(self, index):
        return f"number {index}"


def numbers(count, broken=(), train=True, memory_gib=0.0, unreadable=1.0, seed=0):
    augment = Augment(crop=4, pad=0, flip=True, brightness=0.2 if train else 0)
    return Images(Numbers(count, broken), augment, seed, train, memory_gib, unreadable)


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@settings(deadline=None)  # threads and a busy machine
@given(st.integers(1, 25), st.data())
def test_whoever_reads_a_batch_it_is_the_same(size, data):
    """By one process from files, from memory, or by several with any share of the batches each."""
    broken = data.draw(st.sets(st.integers(0, size - 1), max_size=size - 1))
    batch, start = data.draw(st.integers(1, 6)), data.draw(st.integers(0, 9))
    batches = list(islice(iter(Endless(size, batch, seed=1, start=start)), 6))
    (alone, memory), readers = (numbers(size, broken) for _ in range(2)), [numbers(size, broken) for _ in range(3)]
    memory.fits = True
    memory.hold()
    for items in batches:
        (expected,) = alone.__getitems__(items)
        reader = data.draw(st.sampled_from(readers))
        assert same(expected, reader.__getitems__(items)[0])
        assert same(expected, memory.__getitems__(items)[0])


@given(st.integers(1, 25), st.data())
def test_the_next_that_can_be_read_stands_in(size, data):
    broken = data.draw(st.sets(st.integers(0, size - 1), max_size=size - 1))
    images = numbers(size, broken)
    asked = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=8))
    ((pixels, _, labels, found),) = images.__getitems__([(0, index) for index in asked])
    expected = []
    for index in asked:
        while index in broken:
            index = (index + 1) % size
        expected.append(index)
    assert found.tolist() == pixels[:, 0, 0, 0].tolist() == expected
    assert labels.tolist() == [10 * index for index in expected]


def test_the_stand_in_has_the_augmentation_of_the_place_it_takes():
    broken, sound = numbers(6, broken={2}), numbers(6)
    sound.source.load = lambda index: np.full((4, 4, 3), 3 if index == 2 else index, np.uint8)
    for part in range(2):  # pixels and light
        assert torch.equal(broken.__getitems__([(0, 2)])[0][part], sound.__getitems__([(0, 2)])[0][part])


def test_what_is_measured_leaves_them_out():
    images = numbers(6, broken={1, 4, 5}, train=False)
    ((pixels, light, _, index),) = images.__getitems__([0, 1, 2, 3])
    assert index.tolist() == [0, 2, 3] and len(pixels) == 3 and (light == 1).all()
    (empty,) = images.__getitems__([4, 5])
    assert [tuple(part.shape) for part in empty] == [(0, 4, 4, 3), (0,), (0,), (0,)]
    assert len(images.skipped) == 3


def test_nothing_is_searched_for_without_end():
    images = numbers(1000, broken=set(range(1000)), unreadable=0.01)
    (batch,) = images.__getitems__([(0, 5)])
    assert len(batch[0]) == 0
    assert len(images.skipped) == 11  # one more than may be
