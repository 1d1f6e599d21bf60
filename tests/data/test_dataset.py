"""Batches are pure functions of seed and position, with images that cannot be read among them."""

from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgn.base.errors import UserError
from dgn.base.images import Unreadable
from dgn.data.dataset import Augment, Endless, Images, Skipped, to_float
from dgn.data.sources import Files, Source


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


def steps(count, *words, **more):
    return list(islice(iter(Endless(*words, **more)), count))


@given(st.integers(1, 30), st.integers(1, 8), st.integers(0, 50), st.integers(1, 3))
def test_the_order_goes_on_from_anywhere(size, batch, start, world):
    whole = steps(start + 3, size, batch, 1, world=world)
    assert steps(3, size, batch, 1, start=start * batch * world, world=world) == whole[start:]


def test_no_image_comes_twice_where_the_batch_changes_on_the_way():
    first, then = steps(3, 30, 4, 1), steps(6, 30, 3, 1, start=12)
    assert sorted(index for step in first + then for _, index in step) == list(range(30))


@given(st.integers(1, 30), st.integers(1, 4), st.integers(1, 3))
def test_the_shares_of_all_ranks_are_the_whole_batch(size, batch, world):
    whole = steps(8, size, batch * world, 1)
    shares = [steps(8, size, batch, 1, rank=rank, world=world) for rank in range(world)]
    for step, together in enumerate(whole):
        parts = [share[step] for share in shares]
        assert [len(part) for part in parts] == [batch] * world
        assert [parts[i % world][i // world] for i in range(len(together))] == together


@given(st.integers(1, 30), st.integers(1, 4))
def test_an_epoch_is_every_image_once(size, batch):
    items = [item for step in steps(2 * size, size, batch, 1) for item in step]
    for epoch in range(2):
        assert sorted(index for e, index in items if e == epoch) == list(range(size))


def test_another_seed_is_another_order():
    assert steps(4, 30, 4, 1) != steps(4, 30, 4, 2)


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


@pytest.fixture
def skipped(tmp_path, images_in):
    """Ten files, of which all but the first three are not images."""
    paths = images_in(tmp_path / "a", 10)
    for path in paths[3:]:
        path.write_text("not an image")
    return Skipped(Files([(str(path), 0) for path in paths], ["a"], 8), allowed=0.4)


def test_the_first_are_named_once(skipped, capsys):
    skipped.check()
    assert capsys.readouterr().out == ""
    skipped.add(4)
    skipped.check()
    skipped.add(5)
    skipped.check()
    assert capsys.readouterr().out.splitlines() == [
        "warning: skipping unreadable images: a/004.png (it is not an image); further ones are only counted"
    ]
    assert len(skipped) == 2 and 5 in skipped and 6 not in skipped


def test_too_many_are_an_error(skipped):
    for index in (3, 4, 5, 6):
        skipped.add(index)
    assert not skipped.too_many()
    skipped.check()
    skipped.add(7)
    with pytest.raises(UserError) as error:
        skipped.check()
    assert str(error.value) == (
        "5 of 10 images cannot be read (50 %, such as a/003.png (it is not an image), "
        "a/004.png (it is not an image), a/005.png (it is not an image)): "
        "repair or remove them, or set data.max_unreadable above 0.4, the share that may be skipped"
    )


def test_too_many_of_those_that_were_asked_for(skipped):
    skipped.add(3)
    skipped.check()
    with pytest.raises(UserError, match="1 of 2 images cannot be read"):
        skipped.check(among=2)
