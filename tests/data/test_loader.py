"""Batches are pure functions of seed and position."""

from itertools import islice

import numpy as np
import pytest
import torch

from dgn.base.errors import UserError
from dgn.data.dataset import Augment
from dgn.data.loader import DataModule
from dgn.data.sources import Source, imagefolder

SETTINGS = {"batch_size": 5, "workers": 0, "seed": 3, "memory_gib": 1, "val_images": None, "max_unreadable": 0.0}


def module(root, crop=16, **more):
    train, val = imagefolder(str(root), size=20, held_out=2)
    settings = SETTINGS | more
    augment = Augment(crop=crop, pad=2, flip=True, brightness=0.2)
    return DataModule(train=train, val=val, name="test", augment=augment, **settings)


def batches(data, count):
    return [batch[0] for batch in islice(iter(data.train_dataloader()), count)]


def test_batches_repeat_and_resume(image_tree):
    first = batches(module(image_tree), 6)
    assert all(torch.equal(a, b) for a, b in zip(first, batches(module(image_tree), 6), strict=True))
    later = module(image_tree)
    later.start = 4 * later.batch_size
    assert all(torch.equal(a, b) for a, b in zip(first[4:], batches(later, 2), strict=True))
    assert not torch.equal(first[0], batches(module(image_tree, seed=4), 1)[0])


@pytest.mark.slow
def test_workers_and_memory_change_nothing(image_tree):
    expected = batches(module(image_tree), 4)
    for workers in (0, 1, 2):
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


def test_examples_are_of_every_class_and_always_the_same(image_tree):
    data = module(image_tree)
    few = data.examples(3)
    assert torch.equal(few, torch.stack([data.val.image(i) for i in (0, 2, 5)]))  # apple, bread, cup
    assert data.examples(100).shape == (6, 3, 16, 16)
    spoil(image_tree, "val/bread/015.png")
    assert torch.equal(module(image_tree, memory_gib=0, max_unreadable=0.5).examples(3), few[[0, 2]])


@pytest.mark.parametrize(("batch", "sizes"), [(5, [3, 3]), (6, [6]), (4, [3, 3]), (2, [2, 2, 2])])
def test_no_batch_is_larger_than_was_asked(image_tree, batch, sizes):
    assert [len(x) for x, *_ in module(image_tree, batch_size=batch).val_dataloader()] == sizes


def spoil(root, *names):
    for name in names:
        (root / name).write_bytes(b"")


@pytest.mark.slow
def test_unreadable_images_are_counted_across_workers(image_tree, capsys):
    spoil(image_tree, "train/apple/003.png", "train/bread/010.png", "val/cup/025.png")
    runs = []
    for more in ({"memory_gib": 1}, {"workers": 0}, {"workers": 2}):
        data = module(image_tree, **{"memory_gib": 0, "max_unreadable": 0.2} | more)
        runs.append(batches(data, 6))
        held_out = torch.cat([batch[2] for batch in data.val_dataloader()])
        assert held_out.tolist() == [0, 1, 2, 3, 5]
        assert data.skipped == 3
        said = [line for line in capsys.readouterr().out.splitlines() if "unreadable" in line]
        assert len(said) == 2 and "cup/025.png (it is not an image)" in said[1]
    for other in runs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(runs[0], other, strict=True))


@pytest.mark.parametrize("more", [{"memory_gib": 1}, {"workers": 0}, {"workers": 2}])
def test_too_many_unreadable_images_are_an_error(image_tree, more):
    spoil(image_tree, *(f"train/cup/{i:03d}.png" for i in range(20, 24)))
    with pytest.raises(UserError, match=r"of 12 images cannot be read .* set data\.max_unreadable above"):
        batches(module(image_tree, **{"memory_gib": 0, "max_unreadable": 0.1} | more), 12)


def test_unreadable_held_out_images_end_a_run_at_its_start(image_tree):
    spoil(image_tree, "val/cup/025.png")
    with pytest.raises(UserError, match="1 of 6 images"):
        module(image_tree, memory_gib=0).setup("fit")


def test_an_empty_batch_is_not_given(image_tree):
    spoil(image_tree, "val/apple/005.png")
    data = module(image_tree, batch_size=1, max_unreadable=0.5)
    assert [batch[2].tolist() for batch in data.val_dataloader()] == [[1], [2], [3], [4], [5]]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"workers": "many"}, "data.workers=many is not a number of processes: set data.workers=2, or auto"),
        ({"workers": -1}, "data.workers=-1"),
        ({"max_unreadable": 5}, "data.max_unreadable=5 is not a share"),
        ({"crop": 21}, "data.crop=21 is larger than data.resize=20: set data.resize=21 or more"),
    ],
)
def test_a_setting_that_will_not_do_is_a_sentence(image_tree, settings, sentence):
    with pytest.raises(UserError, match=sentence):
        module(image_tree, **settings)


class Plain(Source):
    """Images of one grey each, their label."""

    size = 16

    def __init__(self, labels):
        self.labels, self.classes = np.array(labels), [str(label) for label in sorted(set(labels))]

    def load(self, index):
        return np.full((16, 16, 3), self.labels[index], np.uint8)


@pytest.mark.parametrize(
    ("count", "classes", "val_images"), [(500, 200, None), (500, 200, 250), (63, 2, None), (252, 32, None)]
)
@pytest.mark.parametrize("in_turn", [False, True])
def test_examples_are_spread_over_the_classes(in_turn, count, classes, val_images):
    labels = [i % classes if in_turn else i * classes // count for i in range(count)]
    augment = Augment(crop=16, pad=0, flip=False, brightness=0)
    source = Plain(labels)
    data = DataModule(train=source, val=source, name="x", augment=augment, **SETTINGS | {"val_images": val_images})
    shown = (255 * data.examples(32)[:, 0, 0, 0]).round().long().tolist()
    assert len(set(shown)) >= min(classes, 31)
