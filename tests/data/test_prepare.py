"""A data set is shrunk once, and what comes out is the same set."""

import json
import os
import shutil
import signal

import numpy as np
import pytest
from PIL import Image

from dgn.base import images
from dgn.base.errors import UserError
from dgn.cli import main
from dgn.data import prepare, sources
from tests import commands

SETTINGS = {"size": 16, "quality": 90, "workers": 1, "max_unreadable": 0.01}


def run(source, target, **more):
    prepare.prepare(source, target, **SETTINGS | more)


def files(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_folders_and_names_stay_and_pixels_do(image_tree, tmp_path):
    shutil.copy(image_tree / "train/cup/020.png", image_tree / "train/cup/odd.PNG")
    Image.new("RGB", (40, 20), (200, 30, 60)).save(image_tree / "train/cup/wide.JPEG")
    run(image_tree, tmp_path / "out")
    found = files(tmp_path / "out")
    assert "train/cup/wide.JPEG" in found and "train/cup/odd.PNG.jpg" in found
    assert len(found) == 21  # and the record
    with Image.open(tmp_path / "out/train/cup/wide.JPEG") as wide:
        assert (wide.size, wide.format, wide.mode) == ((32, 16), "JPEG", "RGB")
    before, after = (sources.imagefolder(str(root), 16, held_out=20) for root in (image_tree, tmp_path / "out"))
    for old, new in zip(before, after, strict=True):
        assert list(old.labels) == list(new.labels) and old.classes == new.classes
        far = [np.abs(old.load(i).astype(int) - new.load(i)).mean() for i in range(len(old))]
        assert max(far) < 10


def test_a_small_jpeg_is_copied_and_nothing_is_enlarged(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    Image.new("RGB", (16, 30), "red").save(source / "small.jpg", quality=50)
    Image.new("L", (9, 9), 90).save(source / "grey.jpg")
    Image.new("RGB", (1, 1), "red").save(source / "one.png")
    run(source, tmp_path / "out")
    assert (tmp_path / "out/small.jpg").read_bytes() == (source / "small.jpg").read_bytes()
    for name, size in (("grey.jpg", (9, 9)), ("one.png.jpg", (1, 1))):
        with Image.open(tmp_path / "out" / name) as image:
            assert (image.mode, image.size) == ("RGB", size)


@pytest.mark.parametrize("size", [16, 64])
def test_an_image_held_sideways_stays_upright(tmp_path, size):
    exif = Image.Exif()
    exif[0x112] = 6  # a quarter turn to the right makes it upright
    stored = Image.new("RGB", (40, 30), "red")
    stored.paste("blue", (0, 0, 20, 30))
    (tmp_path / "in").mkdir()
    stored.save(tmp_path / "in/x.jpg", exif=exif)
    run(tmp_path / "in", tmp_path / "out", size=size)  # shrunk, and copied
    found = images.load_centre(tmp_path / "out/x.jpg", 8)
    np.testing.assert_allclose(found[[0, -1], 4], [(0, 0, 255), (255, 0, 0)], atol=20)


def test_imagenet_with_kaggles_solution(tmp_path, images_in):
    base = tmp_path / "in/ILSVRC/Data/CLS-LOC"
    images_in(base / "train/n01440764", 2, suffix=".JPEG")
    (val,) = images_in(base / "val", 1, suffix=".JPEG")
    (tmp_path / "in/LOC_val_solution.csv").write_text(f"ImageId,PredictionString\n{val.stem},n01440764 1 2 3 4\n")
    (tmp_path / "in/ILSVRC/Annotations.xml").write_text("boxes of the unshrunk image")
    run(tmp_path / "in", tmp_path / "out")
    train, held_out = sources.imagenet(str(tmp_path / "out"), 16)
    assert (len(train), len(held_out)) == (2, 1)
    assert held_out.load(0).shape == (16, 16, 3)
    assert not list((tmp_path / "out").rglob("*.xml"))


def test_places365_by_its_lists(tmp_path, images_in):
    images_in(tmp_path / "in/data_256_standard/a/airfield", 1, suffix=".jpg")
    images_in(tmp_path / "in/val_256", 1, suffix=".jpg")
    (tmp_path / "in/categories_places365.txt").write_text("/a/airfield 0\n")
    (tmp_path / "in/places365_train_standard.txt").write_text("/a/airfield/000.jpg 0\n")
    (tmp_path / "in/places365_val.txt").write_text("000.jpg 0\n")
    run(tmp_path / "in", tmp_path / "out")
    train, held_out = sources.places365(str(tmp_path / "out"), 16)
    assert train.load(0).shape == held_out.load(0).shape == (16, 16, 3)


def test_what_is_done_is_kept_and_the_rest_goes_on(image_tree, tmp_path):
    run(image_tree, tmp_path / "out")
    kept, gone = (tmp_path / "out/train/cup" / f"{name}.png.jpg" for name in ("020", "021"))
    before = kept.stat().st_mtime_ns, gone.read_bytes()
    gone.unlink()
    run(image_tree, tmp_path / "out")
    assert (kept.stat().st_mtime_ns, gone.read_bytes()) == before
    with pytest.raises(UserError, match="was started with size=16 quality=90: set the same to continue"):
        run(image_tree, tmp_path / "out", size=32)


def test_unreadable_images_are_left_out_and_listed(image_tree, tmp_path, capsys):
    (image_tree / "train/cup/020.png").write_text("<html>")
    (image_tree / "val/cup/025.png").write_bytes(b"")
    run(image_tree, tmp_path / "out", max_unreadable=0.2)
    assert "left out 2 unreadable images" in capsys.readouterr().out
    listed = (tmp_path / "out/unreadable.txt").read_text().splitlines()
    assert listed == ["train/cup/020.png (it is not an image)", "val/cup/025.png (it is not an image)"]
    assert not (tmp_path / "out/train/cup/020.png.jpg").exists()
    with pytest.raises(UserError, match=r"1 of 18 images cannot be read .*cup/020.png.* set max_unreadable above"):
        run(image_tree, tmp_path / "again")


def test_a_picture_too_long_for_a_jpeg_is_left_out(tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("L", (66_000, 2)).save(tmp_path / "in/long.png")
    with pytest.raises(UserError, match="it is 66000 px long"):
        run(tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize(
    ("source", "target", "more", "sentence"),
    [
        ("none", "out", {}, "there is no folder"),
        ("images", "images", {}, "is inside"),
        ("images", "images/train/out", {}, "is inside"),
        ("images/train", ".", {}, "already exists and holds other files"),
        ("images", "a file", {}, "already exists and holds other files"),
        ("nothing", "out", {}, "there are no images in"),
        ("images", "out", {"size": 0}, "size=256 .*quality=90"),
        ("images", "out", {"quality": 101}, "size=256 .*quality=90"),
        ("images", "out", {"size": 99.5}, "size=256 .*quality=90"),
        ("images", "out", {"max_unreadable": 5}, "max_unreadable=5 is not a share: set max_unreadable=0.01"),
        ("images", "out", {"workers": "many"}, "workers=many is not a number"),
    ],
)
def test_a_mistake_is_a_sentence_and_writes_nothing(source, target, more, sentence, image_tree, tmp_path):
    (tmp_path / "nothing").mkdir()
    (tmp_path / "a file").touch()
    before = files(tmp_path)
    with pytest.raises(UserError, match=sentence):
        run(tmp_path / source, tmp_path / target, **more)
    assert files(tmp_path) == before


def test_a_link_to_the_source_is_the_source(image_tree, tmp_path):
    (tmp_path / "link").symlink_to(image_tree)
    with pytest.raises(UserError, match="is inside"):
        run(image_tree, tmp_path / "link")


def test_a_full_disk_is_a_sentence(image_tree, tmp_path, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(prepare, "whole", full)
    with pytest.raises(SystemExit, match=r"No space left on device: mend that and run the same command again"):
        main(["data", "prepare", str(image_tree), str(tmp_path / "out"), "size=16", "workers=1"])


def test_ctrl_c_leaves_whole_images_and_the_same_line_goes_on(image_tree, tmp_path, monkeypatch, capsys):
    words = ["prepare", str(image_tree), str(tmp_path / "out"), "size=16", "workers=2"]

    def stopped(results, *_, **__):
        yield next(results)
        os.kill(os.getpid(), signal.SIGINT)
        yield from results

    with monkeypatch.context() as patched:
        patched.setattr(prepare, "track", stopped)
        with pytest.raises(SystemExit) as end:
            main(["data", *words])
    assert end.value.code == 130 and "run the same command again" in capsys.readouterr().err
    for path in (tmp_path / "out").rglob("*.jpg"):
        assert images.load_centre(path, 16).shape == (16, 16, 3)
    main(["data", *words])
    assert len(list((tmp_path / "out").rglob("*.png.jpg"))) == 18
    assert not list((tmp_path / "out").rglob(".*"))


@pytest.mark.slow
def test_as_typed(image_tree, tmp_path):
    shown, _ = commands.run("-m", "dgn", "data", "prepare", image_tree, tmp_path / "out", "size=16", "workers=2")
    assert f"wrote 18 images with a short side of at most 16 px to {tmp_path}/out" in shown
    assert json.loads((tmp_path / "out/prepared.json").read_text()) == {"size": 16, "quality": 90}
    assert images.load_centre(tmp_path / "out/val/cup/025.png.jpg", 16).shape == (16, 16, 3)
