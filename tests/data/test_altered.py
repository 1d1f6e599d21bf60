"""Classes twice, as they are and altered."""

import numpy as np
import pytest

from dgn.data import altered, sources
from tests.commands import run


def test_every_class_twice(image_tree):
    (plain, _), (train, val) = (
        sources.imagefolder(str(image_tree), 16, 2),
        altered.altered(str(image_tree), 16, 2, "bgr"),
    )
    assert len(train) == 2 * len(plain)
    assert train.classes == [*plain.classes, *(f"BGR {name}" for name in plain.classes)]
    for i in (0, len(plain) - 1):
        twin = i + len(plain)
        assert np.array_equal(train.load(i), plain.load(i))
        assert np.array_equal(train.load(twin), plain.load(i)[..., ::-1])
        assert train.labels[twin] == train.labels[i] + len(plain.classes)
        assert train.name(twin) == f"{train.name(i)} BGR"
    assert val.classes == train.classes


@pytest.mark.parametrize("side", [16, 15])
def test_a_mosaic_has_the_same_quarters_in_another_order(side):
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    half = side // 2

    def quarters(picture):
        return [picture[a : a + half, b : b + half].tobytes() for a in (0, half) for b in (0, half)]

    orders = set()
    for index in range(60):
        moved = altered.mosaic(image, index)
        assert quarters(moved) != quarters(image)
        assert sorted(quarters(moved)) == sorted(quarters(image))
        assert np.array_equal(moved, altered.mosaic(image, index))
        orders.add(tuple(map(quarters(image).index, quarters(moved))))
    assert len(orders) > 15  # of 23


def test_blur_keeps_the_mean_and_takes_detail():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    blurred = altered.blur(image, 0)
    assert abs(blurred.mean() - image.mean()) < 1
    assert blurred.std() < image.std() / 2
    flat = np.full((64, 64, 3), 90, np.uint8)
    assert np.array_equal(altered.blur(flat, 0), flat)


@pytest.mark.slow
def test_a_classifier_of_both_knows_its_classes(tmp_path, image_tree):
    run("train.py", "task=classifier", "data=altered", "data.sources.alteration=mosaic", f"data.root={image_tree}",
        "debug=true", f"output={tmp_path / 'out'}")  # fmt: skip
    assert (tmp_path / "out" / "caffenet64.safetensors").exists()


def test_another_alteration_is_refused(image_tree):
    _, err = run("train.py", "task=classifier", "data=altered", "data.sources.alteration=sepia",
                 f"data.root={image_tree}", code=1)  # fmt: skip
    assert "choose from bgr, mosaic, blur" in err
