"""Shrink a data set once: same folders, RGB JPEGs with a short side of at most `size`."""

import json
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

from PIL import Image
from rich.progress import track

from dgn.base import images
from dgn.base.errors import UserError
from dgn.base.files import whole, write_text
from dgn.data.dataset import NAMED, check_share, refuse_too_many
from dgn.data.listing import shown, under
from dgn.data.workers import count, cpus

TEXTS = {".txt", ".csv"}  # lists of files and of classes: copied as they are
RECORD, LEFT_OUT = "prepared.json", "unreadable.txt"
LONGEST = 65_500  # px a side: more does not fit into a JPEG


def prepare(source: Path, target: Path, *, size: int, quality: int, workers: int | str, max_unreadable: float) -> None:
    """Write `source`'s images, shrunk, and its lists to `target`; what is there already is kept.

    Raises UserError for what will not do, and where more than the share `max_unreadable` of the images cannot be read.
    """
    settings = {"size": size, "quality": quality}
    check(source, target, settings)
    check_share(max_unreadable, "max_unreadable")
    processes = max(1, count(workers, cpus(), "workers"))
    paths = [Path(name).relative_to(source) for name in under(source, images.SUFFIXES)]
    if not paths:
        raise UserError(f"there are no images in {source}: set SRC to the folder of the data set")
    write_text(target / RECORD, json.dumps(settings) + "\n")
    for name in under(source, TEXTS):
        with whole(target / Path(name).relative_to(source)) as part:
            shutil.copyfile(name, part)
    failed = []
    with closing(_spread(partial(write, source, target, size, quality), paths, processes)) as reasons:
        for path, reason in zip(paths, reasons, strict=True):
            if reason is not None:
                failed.append(f"{shown(path)} ({reason})")
                refuse_too_many(len(failed), len(paths), max_unreadable, failed[:NAMED], "max_unreadable")
    print(f"wrote {len(paths) - len(failed)} images with a short side of at most {size} px to {target}")
    (target / LEFT_OUT).unlink(missing_ok=True)
    if failed:
        write_text(target / LEFT_OUT, "\n".join(failed) + "\n")
        print(f"left out {len(failed)} unreadable images, see {target / LEFT_OUT}: {', '.join(failed[:NAMED])}")


def check(source: Path, target: Path, settings: dict[str, int]) -> None:
    """UserError if `target` cannot be made of `source` with these settings."""
    if not isinstance(settings["size"], int) or settings["size"] < 1 or settings["quality"] not in range(1, 96):
        raise UserError(
            "size or quality is out of range: set whole numbers, size=256 (pixels) and quality=90 (1 to 95)"
        )
    if not source.is_dir():
        raise UserError(f"there is no folder {source}: run dgn data prepare SRC DST with an existing SRC")
    if target.resolve().is_relative_to(source.resolve()):
        raise UserError(f"{target} is inside {source}, which must not change: choose another folder for the result")
    if (target / RECORD).exists():
        before = json.loads((target / RECORD).read_text())
        if before != settings:
            typed = " ".join(f"{key}={value}" for key, value in before.items())
            raise UserError(f"{target} was started with {typed}: set the same to continue, or choose another folder")
    elif target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} already exists and holds other files: choose a new folder for the result")


def result(path: Path) -> Path:
    """What the shrunk image is called: a JPEG keeps its name, for lists may name it; others gain a suffix."""
    return path if path.suffix.lower() in {".jpg", ".jpeg"} else path.with_name(f"{path.name}.jpg")


def write(source: Path, target: Path, size: int, quality: int, path: Path) -> str | None:
    """Shrink the image `path` of `source`, if that is not done; why not, if it cannot be read."""
    wanted = target / result(path)
    if wanted.exists():
        return None
    try:
        image = images.load(source / path, size)
    except images.Unreadable as error:
        return str(error)
    scale = size / min(image.size)
    if scale < 1:
        image = image.resize([max(size, round(side * scale)) for side in image.size], Image.Resampling.BOX)
    if max(image.size) > LONGEST:
        return f"it is {max(image.size)} px long"
    with whole(wanted) as part:
        if _fits(source / path, size):
            shutil.copyfile(source / path, part)  # nothing to do, and encoding it again would cost quality
        else:
            image.save(part, "JPEG", quality=quality)
    return None


def _fits(path: Path, size: int) -> bool:
    with Image.open(path, formats=images.FORMATS) as image:
        return image.format == "JPEG" and image.mode == "RGB" and min(image.size) <= size


def _spread(task: partial[str | None], paths: list[Path], workers: int) -> Generator[str | None, None, None]:
    """The task's results in order, by several processes, under a progress bar; Ctrl-C lets begun files be finished."""
    pool = ProcessPoolExecutor(workers, initializer=_follow)
    try:
        shrunk = pool.map(task, paths, chunksize=16)
        yield from track(shrunk, "shrinking images", total=len(paths), transient=True)
    finally:
        pool.shutdown(cancel_futures=True)


def _follow() -> None:
    """Leave signals, which reach every process of a terminal, to the main one, and end when it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
