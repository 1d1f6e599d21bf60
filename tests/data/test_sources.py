"""Where images come from: the layouts of the real sets, and the mistakes one makes with folders."""

import os

import numpy as np
import pytest

from dgn.base.errors import UserError
from dgn.data import sources


def test_train_and_val_folders(image_tree):
    train, val = sources.imagefolder(str(image_tree), size=16, held_out=20)
    assert (len(train), len(val)) == (12, 6)
    assert train.classes == ["apple", "bread", "cup"]
    assert list(train.labels) == [0] * 4 + [1] * 4 + [2] * 4
    assert train.load(3).shape == (16, 16, 3)
    assert train.name(0) == "apple/000.png"


def test_without_val_every_nth_image_is_held_out(image_tree):
    train, val = sources.imagefolder(str(image_tree / "train"), size=16, held_out=4)
    assert (len(train), len(val)) == (9, 3)


def test_images_apart_and_without_classes_are_a_sentence(tmp_path, images_in):
    for part in ("train", "val"):
        images_in(tmp_path / part, 2)
    with pytest.raises(UserError, match="train has no folder of images per class"):
        sources.imagefolder(str(tmp_path), size=16, held_out=4)


def test_to_hold_out_every_image_is_a_sentence(image_tree):
    for count in (0, 1):
        with pytest.raises(UserError, match=r"data\.sources\.held_out=[01] leaves no training images: set 2 or more"):
            sources.imagefolder(str(image_tree / "train"), size=16, held_out=count)


def test_a_flat_folder_is_one_class(image_tree):
    train, val = sources.imagefolder(str(image_tree / "train" / "cup"), size=16, held_out=2)
    assert train.classes == ["cup"]
    assert (len(train), len(val)) == (2, 2)


@pytest.mark.parametrize("inner", ["", "ILSVRC/Data/CLS-LOC"])
def test_imagenet_in_folders_and_as_kaggle_gives_it(tmp_path, images_in, inner):
    base = tmp_path / inner
    for name in ("n01440764", "n01443537"):
        images_in(base / "train" / name, 2, suffix=".JPEG")
    val = images_in(base / "val", 2, suffix=".JPEG")
    if not inner:
        with pytest.raises(UserError, match="sort the validation images into the folders"):
            sources.imagenet(str(tmp_path), 16)
    (tmp_path / "LOC_val_solution.csv").write_text(
        f"ImageId,PredictionString\n{val[0].stem},n01443537 1 2 3 4\n{val[1].stem},n01440764 1 2 3 4 n01440764 5 6 7\n"
    )
    train, held_out = sources.imagenet(str(tmp_path), 16)
    assert train.classes == ["n01440764", "n01443537"]
    assert list(train.labels) == [0, 0, 1, 1]
    assert [held_out.name(i).split("/")[-1] for i in range(2)] == [val[1].name, val[0].name]


def test_places365_by_its_lists(tmp_path, images_in):
    images_in(tmp_path / "data_256_standard" / "a" / "airfield", 2, suffix=".jpg")
    images_in(tmp_path / "val_256", 1, suffix=".jpg")
    (tmp_path / "categories_places365.txt").write_text("/a/airfield 0\n/a/alley 1\n", encoding="utf-8-sig")
    (tmp_path / "places365_train_standard.txt").write_text("/a/airfield/000.jpg 0\n/a/airfield/001.jpg 0\n")
    with pytest.raises(UserError, match=r"places365_val\.txt"):
        sources.places365(str(tmp_path), 16)
    (tmp_path / "places365_val.txt").write_text("000.jpg 1\n")
    train, val = sources.places365(str(tmp_path), 16)
    assert train.classes == ["a/airfield", "a/alley"]
    assert list(val.labels) == [1]
    assert train.load(1).shape == (16, 16, 3)
    for label in ("2", "-1"):
        (tmp_path / "places365_val.txt").write_text(f"000.jpg {label}\n")
        with pytest.raises(UserError, match=r"places365_val\.txt gives 000\.jpg a class beyond the 2 of categories"):
            sources.places365(str(tmp_path), 16)
    (tmp_path / "places365_val.txt").write_text("\n")
    with pytest.raises(UserError, match=r"places365_val\.txt is empty"):
        sources.places365(str(tmp_path), 16)
    (tmp_path / "places365_val.txt").write_text("000.jpg\n")
    with pytest.raises(UserError, match=r"places365_val\.txt is not a list of Places365 \(a name and a number per"):
        sources.places365(str(tmp_path), 16)


def test_places365_whose_classes_are_numbered_otherwise(tmp_path, images_in):
    images_in(tmp_path / "data_256_standard", 1, suffix=".jpg")
    images_in(tmp_path / "val_256", 1, suffix=".jpg")
    for name in ("places365_train_standard.txt", "places365_val.txt"):
        (tmp_path / name).write_text("/000.jpg 0\n")
    (tmp_path / "categories_places365.txt").write_text("/a/alley 1\n/a/airfield 0\n")
    assert sources.places365(str(tmp_path), 16)[0].classes == ["a/airfield", "a/alley"]
    (tmp_path / "categories_places365.txt").write_text("/a/alley 2\n/a/airfield 0\n")
    with pytest.raises(UserError, match="does not number its classes 0, 1, 2"):
        sources.places365(str(tmp_path), 16)


def test_places365_in_folders(image_tree):
    assert len(sources.places365(str(image_tree), 16)[0]) == 12


def test_photos_are_the_same_crops_every_time():
    pytest.importorskip("skimage")
    (train, val), (again, _) = sources.photos(16, 20), sources.photos(16, 20)
    assert len(train.classes) == 7
    assert np.array_equal(train.load(9), again.load(9))
    assert not np.array_equal(train.load(0), train.load(7))  # two crops of one photograph
    assert not np.array_equal(train.load(0), val.load(0))


@pytest.mark.parametrize("name", ["imagefolder", "imagenet", "places365"])
def test_a_folder_that_is_missing_is_a_sentence(tmp_path, name):
    source = getattr(sources, name)
    more = {"held_out": 2} if name == "imagefolder" else {}
    with pytest.raises(UserError, match=r"data\.root=DIR"):
        source(None, size=16, **more)
    with pytest.raises(UserError, match="does not exist"):
        source(str(tmp_path / "none"), size=16, **more)
    with pytest.raises(UserError):
        source(str(tmp_path), size=16, **more)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(UserError, match="is a file"):
        sources.imagefolder(str(tmp_path / "x"), size=16, held_out=2)


def test_names_that_are_not_utf8(tmp_path, images_in):
    path = images_in(tmp_path / "a", 2)[0]
    odd = os.fsdecode(os.fsencode(path.parent) + b"/000\xff.png")
    os.rename(path, odd)
    train, val = sources.imagefolder(str(tmp_path), size=16, held_out=2)
    assert {*map(val.name, range(1)), *map(train.name, range(1))} == {"a/000\ufffd.png", "a/001.png"}
    assert val.load(0).shape == train.load(0).shape
