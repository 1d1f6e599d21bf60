"""Which files a folder holds."""

import os

import pytest

from dgn.base.errors import UserError
from dgn.base.images import SUFFIXES
from dgn.data.layouts import by_class
from dgn.data.listing import inside, under


def fill(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def relative(root, paths):
    return [path.removeprefix(f"{root}/") for path in paths]


def test_images_by_folder_sorted_and_whatever_the_case(tmp_path):
    fill(tmp_path, "b/2.JPEG", "b/1.jpg", "b/deep/er/3.png", "a/x.Gif", "a/x.txt", "empty/x.md", "top.jpg")
    found = by_class(tmp_path).files
    assert list(found) == ["a", "b"]
    assert relative(tmp_path, found["b"]) == ["b/1.jpg", "b/2.JPEG", "b/deep/er/3.png"]
    assert relative(tmp_path, inside(tmp_path, SUFFIXES)) == ["top.jpg"]


def test_hidden_files_are_left_out(tmp_path):
    fill(tmp_path, "a/._1.jpg", "a/.1.jpg.x7.jpg", ".trash/1.jpg", "a/.git/1.jpg")
    assert by_class(tmp_path).files == {}


def test_a_folder_called_like_an_image_is_a_folder(tmp_path):
    fill(tmp_path, "a/set.png/1.png")
    assert relative(tmp_path, under(tmp_path, SUFFIXES)) == ["a/set.png/1.png"]


def test_links_are_followed_but_not_in_circles(tmp_path):
    fill(tmp_path, "store/1.png", "set/b/2.png")
    (tmp_path / "set" / "a").symlink_to(tmp_path / "store")
    (tmp_path / "set" / "b" / "up").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "b" / "self").symlink_to(tmp_path / "set" / "b")
    (tmp_path / "set" / "b" / "3.png").symlink_to(tmp_path / "nowhere")
    assert {name: relative(tmp_path / "set", files) for name, files in by_class(tmp_path / "set").files.items()} == {
        "a": ["a/1.png"],
        "b": ["b/2.png", "b/3.png"],
    }


def test_a_folder_that_may_not_be_read_is_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "lost+found").mkdir()
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("lost+found"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=r"cannot read the folder .*lost\+found"):
        by_class(tmp_path)
