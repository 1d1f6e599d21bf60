"""Atomic file writes, and locks that allow one run per folder."""

import hashlib
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from pathlib import Path

from filelock import FileLock, Timeout

from dgn.base.errors import Stopped, UserError

PART = ".part-"  # prefix of files that are not complete yet
LOCK = ".lock"  # never deleted during a run: another process may have it open and would lock a deleted file
PATIENCE = 1.0  # seconds; `held` tests a lock by taking it for an instant, and that is not another run


@contextmanager
def whole(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` on success, remove it on any error.

    The data is on disk before the rename, so a crash or a full disk leaves the previous file unchanged.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{PART}{secrets.token_hex(8)}{path.suffix}")
    part.touch(exist_ok=False)  # not `tempfile`, which ignores the user's umask
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def read_text(path: Path | str) -> str:
    """The text of a user's file: UTF-8, with or without a byte order mark, lines ending in \\n, \\r\\n or \\r.

    Raises UserError if it cannot be read.
    """
    try:
        return Path(os.path.expanduser(path)).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: save it as UTF-8") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from None


def sha256(path: Path | str) -> str:
    """The file's SHA-256 in hexadecimal: how a run names the weights that it used. UserError if it cannot be read."""
    try:
        now = Path(path).stat()
        return _digest(str(path), now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None


@lru_cache(maxsize=64)
def _digest(path: str, *_: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def newest(folder: Path, pattern: str) -> Path | None:
    """The file of this pattern in `folder` that was written last; None if there is none."""
    return max(folder.glob(pattern), key=lambda file: file.stat().st_mtime, default=None)


def missing(folder: Path) -> list[Path]:
    """The folder and its parents that do not exist yet, the deepest first."""
    return [path for path in (folder.absolute(), *folder.absolute().parents) if not path.exists()]


def remove_empty(folders: Sequence[Path]) -> None:
    """Remove the folders that are empty except for a lock; leave the others unchanged."""
    for folder in folders:
        with suppress(OSError):
            if all(path.name == LOCK for path in folder.iterdir()):
                (folder / LOCK).unlink(missing_ok=True)
                folder.rmdir()


def held(folder: Path) -> bool:
    """Whether another process has locked `folder` now, see `claim`; False if that is unknown."""
    if not (folder / LOCK).exists():
        return False
    lock = _lock(folder)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return False
    lock.release()
    return False


@contextmanager
def alone(folder: Path, meanwhile: str) -> Iterator[None]:
    """Lock `folder`. If another process has it, print `meanwhile` and wait."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = _lock(folder)
    try:
        _acquire(lock, timeout=0)
    except Timeout:
        print(meanwhile, flush=True)
        _acquire(lock, timeout=-1)
    with _released(lock):
        yield


@contextmanager
def claim(folder: Path, resume: bool) -> Iterator[None]:
    """Lock `folder` for one run; UserError if another process has it, or if it holds a run and `resume` is false.

    A run that fails before it writes anything leaves no new folder.
    """
    new = missing(folder)
    try:
        with _claimed(folder, resume):
            yield
    except BaseException as error:
        remove_empty(new)
        if isinstance(error, Stopped):
            error.folder = str(folder)
        raise


@contextmanager
def _claimed(folder: Path, resume: bool) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    lock = _lock(folder)
    try:
        _acquire(lock, timeout=PATIENCE)
    except Timeout:
        raise UserError(f"another run is writing to {folder}: wait for it, or set another output=DIR") from None
    with _released(lock):
        if (folder / "config.yaml").exists() and not resume:
            raise UserError(f"{folder} already holds a run: set resume=true to continue it, or another output=DIR")
        for left in folder.rglob(f"{PART}*"):  # of a run that was killed while writing
            if not any(held(above) for above in left.parents if folder in above.parents):  # another run, in a subfolder
                left.unlink(missing_ok=True)
        yield


def _lock(folder: Path) -> FileLock:
    """The lock of a folder. No soft lock on disks without locks: it would outlive a run that was killed."""
    return FileLock(folder / LOCK, fallback_to_soft=False)


def _acquire(lock: FileLock, timeout: float) -> None:
    """Take the lock, or continue without one if the disk has no locks. Timeout if another process has it.

    OSError if the folder is not writable.
    """
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        raise
    except (OSError, NotImplementedError):
        with Path(lock.lock_file).open("a"):  # raises if the folder itself is the problem
            _say_without_locks()


@cache
def _say_without_locks() -> None:
    print("warning: this disk has no file locks; do not start two runs with the same output folder", file=sys.stderr)


@contextmanager
def _released(lock: FileLock) -> Iterator[None]:
    try:
        yield
    finally:
        with suppress(OSError):  # a disk that lost its locks; the results are complete
            lock.release()
