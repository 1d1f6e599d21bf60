"""Files appear whole or not at all."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import mkstemp

from dgn.base.errors import UserError

PART = ".part-"  # how files begin that are not whole yet


@contextmanager
def whole(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it is renamed to `path`, on any error it is removed.

    The file is on disk before it takes the name, so that a crash or a full disk leaves the previous file as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = mkstemp(dir=path.parent, prefix=PART, suffix=path.suffix)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.chmod(0o644)
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


def held(folder: Path) -> bool:
    """Whether a process holds `folder` now, see `claim`."""
    try:
        with (folder / ".lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except OSError:
        return True


@contextmanager
def alone(folder: Path, meanwhile: str) -> Iterator[None]:
    """Hold `folder`, where need be after whoever holds it now; `meanwhile` is said before the wait."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print(meanwhile, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def claim(folder: Path, resume: bool) -> Iterator[None]:
    """Hold `folder` for one run; UserError if another process does, or if a run is in it and `resume` is not set."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"another run is writing to {folder}: wait for it, or type output=DIR") from None
        if (folder / "config.yaml").exists() and not resume:
            raise UserError(f"{folder} holds a run already: type resume=true to go on with it, or output=DIR")
        for left in folder.rglob(f"{PART}*"):  # of a run that was killed while it wrote
            if not any(held(above) for above in left.parents if folder in above.parents):  # another run, in a subfolder
                left.unlink()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
