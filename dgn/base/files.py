"""Files appear whole or not at all, and a folder has one run at a time."""

import hashlib
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from pathlib import Path

from filelock import FileLock, Timeout

from dgn.base.errors import UserError

PART = ".part-"  # prefix of files that are not complete yet
LOCK = ".lock"  # stays in its folder: another process may have it open, and would then hold a file that nobody sees
PATIENCE = 1.0  # seconds; `held` asks by taking the lock for an instant, which is no other run


@contextmanager
def whole(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it is renamed to `path`, on any error it is removed.

    The file is on disk before it takes the name, so that a crash or a full disk leaves the previous file as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{PART}{secrets.token_hex(8)}{path.suffix}")
    part.touch(exist_ok=False)  # the user's umask decides who may read it, which a file by `tempfile` would not follow
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write `text` in UTF-8, whole or not at all."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def read_text(path: Path | str) -> str:
    """The text of a user's file: UTF-8, with or without a byte order mark, lines ending in \\n, \\r\\n or \\r.

    Raises UserError if it cannot be read.
    """
    try:
        return Path(os.path.expanduser(path)).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not text in UTF-8: save it as UTF-8") from None
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


def missing(folder: Path) -> list[Path]:
    """The folder and those above it that are not there yet, the deepest first."""
    return [path for path in (folder.absolute(), *folder.absolute().parents) if not path.exists()]


def remove_empty(folders: Sequence[Path]) -> None:
    """Remove those of the folders that hold nothing but the lock of a run; the others stay as they are."""
    for folder in folders:
        with suppress(OSError):
            if all(path.name == LOCK for path in folder.iterdir()):
                (folder / LOCK).unlink(missing_ok=True)
                folder.rmdir()


def held(folder: Path) -> bool:
    """Whether another process holds `folder` now, see `claim`; False where that cannot be known."""
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
    """Hold `folder`, if necessary after whoever holds it now; `meanwhile` is printed before the wait."""
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
    """Hold `folder` for one run; UserError if another process does, or if it has a run and `resume` is not set."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = _lock(folder)
    try:
        _acquire(lock, timeout=PATIENCE)
    except Timeout:
        raise UserError(f"another run is writing to {folder}: wait for it, or set output=DIR") from None
    with _released(lock):
        if (folder / "config.yaml").exists() and not resume:
            raise UserError(f"{folder} already holds a run: set resume=true to continue it, or output=DIR")
        for left in folder.rglob(f"{PART}*"):  # of a run that was killed while it wrote
            if not any(held(above) for above in left.parents if folder in above.parents):  # another run, in a subfolder
                left.unlink(missing_ok=True)
        yield


def _lock(folder: Path) -> FileLock:
    """The lock of a folder. The library's stand-in for disks without locks would outlive a run that was killed."""
    return FileLock(folder / LOCK, fallback_to_soft=False)


def _acquire(lock: FileLock, timeout: float) -> None:
    """Take the lock, or go on without where the disk has no locks. Timeout if another holds it.

    OSError where nothing can be written there at all.
    """
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        raise
    except (OSError, NotImplementedError):
        with Path(lock.lock_file).open("a"):  # raises where the folder itself is the trouble
            _say_without_locks()


@cache
def _say_without_locks() -> None:
    print("this disk has no file locks: do not start two runs with the same output folder", file=sys.stderr)


@contextmanager
def _released(lock: FileLock) -> Iterator[None]:
    try:
        yield
    finally:
        with suppress(OSError):  # a disk that loses its locks: the results are there all the same
            lock.release()
