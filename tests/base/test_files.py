"""Files appear whole or not at all; a folder has one run."""

import errno
import multiprocessing
import os
from pathlib import Path

import pytest
from filelock import FileLock

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
    assert sorted(path.name for path in tmp_path.iterdir()) == [files.LOCK, "config.yaml"]


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


def test_whoever_opened_the_lock_before_its_holder_ended_is_the_only_next_holder(tmp_path):
    with files.claim(tmp_path, resume=False):
        inode = (tmp_path / files.LOCK).stat().st_ino
    waiting = FileLock(tmp_path / files.LOCK)
    with waiting, pytest.raises(UserError, match="another run is writing"), files.claim(tmp_path, resume=False):
        pass
    assert (tmp_path / files.LOCK).stat().st_ino == inode, "a lock file that is made anew can have two holders"


def _without_locks(monkeypatch, number):
    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(pytest.importorskip("fcntl"), "flock", flock)
    files._say_without_locks.cache_clear()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.EIO])
def test_a_disk_without_locks_is_written_to_and_said_once(tmp_path, monkeypatch, capsys, number):
    _without_locks(monkeypatch, number)
    for name in "ab":
        with files.claim(tmp_path / name, resume=False), files.alone(tmp_path / name / "c", "wait"):
            assert not files.held(tmp_path / name)
    said = capsys.readouterr()
    assert said.err.count("this disk has no file locks") == 1 and "wait" not in said.out


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EACCES])
def test_a_lock_that_another_has_is_another_run(tmp_path, monkeypatch, number):
    monkeypatch.setattr(files, "PATIENCE", 0)
    _without_locks(monkeypatch, number)
    with pytest.raises(UserError, match="another run is writing"), files.claim(tmp_path, resume=False):
        pass


@pytest.mark.skipif(os.name != "posix", reason="Windows has no umask")
@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_the_umask_says_who_may_read(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        files.write_text(tmp_path / "a.txt", "a")
        files.write_text(tmp_path / "a.txt", "b")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == mode


def test_nothing_needs_a_module_that_windows_lacks():
    for path in (Path(files.__file__).parents[1]).rglob("*.py"):
        assert "import fcntl" not in path.read_text(encoding="utf-8"), path


def test_a_run_that_fails_at_once_leaves_no_new_folder(tmp_path):
    def fail(folder, write=False):
        with files.claim(folder, resume=False):
            if write:
                files.write_text(folder / "x", "kept")
            raise UserError("no")

    (tmp_path / "own").mkdir()
    for name, write in (("there/a", False), ("written/a", True), ("own", False)):
        with pytest.raises(UserError, match="no"):
            fail(tmp_path / name, write)
    assert not (tmp_path / "there").exists()
    assert (tmp_path / "written/a/x").exists() and (tmp_path / "own").is_dir()


def test_of_new_folders_only_empty_ones_are_removed(tmp_path):
    (tmp_path / "there").mkdir()
    noted = files.missing(tmp_path / "there/a/b")
    assert noted == [tmp_path / "there/a/b", tmp_path / "there/a"]
    with files.claim(tmp_path / "there/a/b", resume=False):
        pass
    files.remove_empty(noted)
    assert not (tmp_path / "there/a").exists() and (tmp_path / "there").exists()
    files.write_text(tmp_path / "there/a/b/x", "kept")
    files.remove_empty(noted)
    assert (tmp_path / "there/a/b/x").exists()
