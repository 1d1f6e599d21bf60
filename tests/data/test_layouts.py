"""How folders become classes, and training and held-out images: what is told, what is left out, what is refused."""

import pytest

from dgn.base.errors import UserError
from dgn.data import layouts, sources
from dgn.data.layouts import TEST, TRAIN, VAL


@pytest.fixture
def tree(tmp_path, images_in):
    """Folders with two images each, by their paths."""

    def build(*folders, count=2):
        for i, folder in enumerate(folders):
            images_in(tmp_path / folder, count, first=10 * i)
        return tmp_path

    return build


def read(root, held_out=2):
    return sources.imagefolder(str(root), size=16, held_out=held_out)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("train", "validation"),
        ("train", "valid"),
        ("training", "validation"),
        ("Train", "Test"),
        ("TRAIN", "Val"),
        ("training_set", "test_set"),
        ("train2017", "val2017"),
        ("seg_train", "seg_test"),
        ("trainset", "testset"),
        ("train_images", "held-out images"),
    ],
)
def test_the_two_folders_go_by_their_usual_names(tree, capsys, first, second):
    train, val = read(tree(*(f"{part}/{name}" for part in (first, second) for name in ("cat", "dog", "owl"))))
    assert list(train.classes) == ["cat", "dog", "owl"]
    assert (list(train.labels), list(val.labels)) == ([0, 0, 1, 1, 2, 2],) * 2
    assert capsys.readouterr().out == (
        f"imagefolder: 3 classes (cat, dog, owl), 6 training images in {first}, 6 held-out images in {second}\n"
    )


def test_val_comes_before_test_and_what_is_left_out_is_named(tree, images_in, capsys):
    root = tree("train/cat", "train/dog", "val/cat", "val/fox", "test/cat", "test/dog", "extra")
    images_in(root / "train", 3)
    images_in(root, 1)
    (root / "train" / "owl").mkdir()
    (root / "labels").mkdir()  # no images: nothing is left out
    train, val = read(root)
    assert (list(train.classes), len(train), len(val)) == (["cat", "dog"], 4, 2)
    _, left_out, lacking = capsys.readouterr().out.splitlines()
    for phrase in ("train/owl (no image files)", "3 images (000.png, 001.png and 1 more) beside the class",
                   "extra (beside", "test (beside", "1 image (000.png) beside train", "val/fox (no such"):  # fmt: skip
        assert phrase in left_out
    assert "labels" not in left_out
    assert lacking == "without held-out images: dog"


def test_without_a_second_folder_the_split_is_told(tree, capsys):
    read(tree("train/cat", "train/dog"))
    assert capsys.readouterr().out == (
        "imagefolder: 2 classes (cat, dog), 2 training images, 2 held-out images (one in 2)\n"
    )


def test_a_test_folder_without_classes_is_left_out(tree, capsys):
    train, val = read(tree("train/cat", "train/dog", "test"))
    assert (len(train), len(val)) == (2, 2)
    assert "left out: test (not sorted into class folders)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("folders", "sentence"),
    [
        (("train/cat", "val"), "val has no folder of images per class"),
        (("train", "val"), "train has no folder of images per class"),
        (("train/cat", "val/dog"), r"val \(dog\) and train \(cat\) share no class"),
        (("cat", "dog", "test"), "has test, but no folder for training images"),
        (("val/cat", "test/cat"), "has test, val, but no folder for training images"),
        (("train/cat", "Training/cat", "val/cat"), r"several folders for training images \(Training, train\)"),
        (("train/cat", "val/cat", "valid/cat"), r"several folders for held-out images \(val, valid\)"),
        (("train/train/cat", "val/val/cat"), "train holds train, which look like parts"),
        (("train/cat", "train/val"), "holds val, which look like parts"),
        (("set/train/cat", "set/val/cat"), "set holds train and val, which look like parts"),
        (("bottle/train/good", "bottle/test/good", "cable/train/good"), "bottle holds test and train, which"),
    ],
)
def test_folders_that_are_not_clear_are_a_sentence(tree, folders, sentence):
    with pytest.raises(UserError, match=sentence):
        read(tree(*folders))


def test_a_train_among_other_classes_is_a_class(tree):
    root = tree("bus", "car", "train")
    assert list(read(root)[0].classes) == ["bus", "car", "train"]
    split = tree(*(f"vehicles/{part}/{name}" for part in ("train", "val") for name in ("bus", "train"))) / "vehicles"
    assert list(read(split)[0].classes) == ["bus", "train"]


@pytest.mark.parametrize("name", ["test tube", "train station", "valley", "testament", "images", "data", "列車 train"])
def test_other_names_are_classes(tree, name):
    assert list(read(tree("cat", name))[0].classes) == sorted(["cat", name])


def test_roles_of_names():
    assert layouts.part("Validation_Set 2") == (VAL, ())
    assert layouts.part("seg_test") == (TEST, ("seg",))
    assert layouts.part("trainval") is None and layouts.part("train_val") is None
    assert layouts.roles(["seg_train", "test tube", "val"]) == {VAL: ["val"]}
    assert layouts.roles(["a_train", "a_test", "b"]) == {TRAIN: ["a_train"], TEST: ["a_test"]}


@pytest.mark.parametrize("name", ["@eaDir", ".cache", "__MACOSX", "#recycle", "$RECYCLE.BIN"])
def test_folders_of_the_system_are_no_classes(tree, name):
    train, val = read(tree("cat", "dog", name, f"cat/{name}/000.png"))
    assert (list(train.classes), len(train) + len(val)) == (["cat", "dog"], 4)


def test_tiny_imagenet_as_it_is_unpacked(tree, images_in, capsys):
    root = tree("train/n01/images", "train/n02/images", "test/images")
    images_in(root / "val" / "images", 4, suffix=".JPEG")
    rows = (f"{i:03d}.JPEG\t{name}\t0\t32\t44\t62" for i, name in enumerate(("n02", "n01", "n02", "n03")))
    (root / "val" / "val_annotations.txt").write_text("\n".join(rows) + "\n")
    train, val = read(root)
    assert (len(train), list(val.labels)) == (4, [0, 1, 1])
    assert [val.name(i) for i in range(3)] == ["images/001.JPEG", "images/000.JPEG", "images/002.JPEG"]
    assert val.load(0).shape == (16, 16, 3)
    assert "val/n03 (no such class in train)" in capsys.readouterr().out
    (root / "val" / "val_annotations.txt").write_text("000.JPEG n01\n")
    with pytest.raises(UserError, match=r"has the line '000\.JPEG n01': write an image, a tab and its class"):
        read(root)


def test_less_usual_suffixes(tmp_path, images_in):
    for path in images_in(tmp_path / "cat", 3, suffix=".jpg"):
        path.rename(path.with_suffix(".jfif"))
    (tmp_path / "dog").mkdir()
    train, val = read(tmp_path)
    assert (list(train.classes), len(train) + len(val)) == (["cat"], 3)
