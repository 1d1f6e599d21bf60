"""Files appear whole or not at all; a folder has one run."""

import multiprocessing

import pytest

from dgn.base import files
from dgn.base.errors import UserError


def test_a_failed_write_leaves_the_previous_file(tmp_path):
    path = tmp_path / "a" / "b.txt"
    files.write_text(path, "one")
    with pytest.raises(UnicodeEncodeError), files.whole(path) as part:
        part.write_bytes(b"half" + "\ud800".encode())
    assert path.read_text() == "one" and [p.name for p in path.parent.iterdir()] == ["b.txt"]


def test_sha256(tmp_path):
    files.write_text(tmp_path / "x", "abc")
    assert files.sha256(tmp_path / "x").startswith("ba7816bf")


def _hold(folder, held, done):
    with files.claim(folder, resume=False):
        held.set()
        done.wait(30)


def test_a_folder_that_a_run_holds_is_refused(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, held, done))
    other.start()
    assert held.wait(60)
    try:
        with pytest.raises(UserError, match="another run is writing"), files.claim(tmp_path, resume=True):
            pass
    finally:
        done.set()
        other.join()
    with files.claim(tmp_path, resume=False):
        pass


def test_a_folder_with_a_run_needs_resume(tmp_path):
    files.write_text(tmp_path / "config.yaml", "seed: 0")
    with pytest.raises(UserError, match="resume=true"), files.claim(tmp_path, resume=False):
        pass
    with files.claim(tmp_path, resume=True):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        files.sha256(tmp_path)


def test_what_a_killed_run_left_is_removed_but_not_what_another_writes(tmp_path):
    for folder in ("images", "other/images"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"{files.PART}x").touch()
    with files.claim(tmp_path / "other", resume=False):
        (tmp_path / "other/images" / f"{files.PART}x").touch()
        with files.claim(tmp_path, resume=False):
            assert [path.parent.name for path in tmp_path.rglob(f"{files.PART}*")] == ["images"]
            assert not list((tmp_path / "images").iterdir())
