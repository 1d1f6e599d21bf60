"""A data set of whole batches: order, augmentation, and skipping of unreadable images."""

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from rich.progress import track
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from dgn.base.errors import UserError
from dgn.base.images import Unreadable, from_uint8, sides
from dgn.data.sources import Source

Raw = tuple[Tensor, Tensor, Tensor, Tensor]  # pixels (N, crop, crop, 3) uint8, factor on their light, label, index
NAMED = 3  # how many unreadable images a message names


class Endless(Sampler):
    """Endless batches of (epoch, index) from image `start` on; image t of a run depends only on the seed and t.

    With several processes, each takes its share of every batch.
    """

    def __init__(self, size: int, batch: int, seed: int, start: int = 0, rank: int = 0, world: int = 1) -> None:
        self.size, self.batch, self.seed, self.start = size, batch, seed, start
        self.rank, self.world = rank, world

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        position, known, order = self.start, -1, np.empty(0, int)
        while True:
            batch = []
            for i in range(position, position + self.batch * self.world):
                epoch = i // self.size
                if epoch != known:
                    known, order = epoch, np.random.default_rng((self.seed, 0, epoch)).permutation(self.size)
                batch.append((epoch, int(order[i % self.size])))
            position += self.batch * self.world
            yield batch[self.rank :: self.world]


class Augment:
    """Random crop, flip and brightness of a batch; the random numbers come with the batch, not from here.

    `pad` pixels are reflected at each border before the crop; `crop` is the size that comes out, in pixels. Pixels stay
    bytes until `to_float`, for they are handed from process to process, and floats are four times as much.
    """

    numbers = 4  # random numbers an image: row, column, flip, brightness

    def __init__(self, crop: int | Sequence[int], pad: int, flip: bool, brightness: float) -> None:
        self.crop, self.pad, self.flip, self.brightness = crop, pad, flip, brightness
        self.height, self.width = sides(crop)

    def __call__(self, batch: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, H, W, 3) uint8 and (N, 4) in [0, 1) to (N, height, width, 3) uint8 and factors on the images' light."""
        if self.pad:
            margin = (self.pad, self.pad)
            batch = np.pad(batch, ((0, 0), margin, margin, (0, 0)), mode="reflect")
        room = np.array(batch.shape[1:3]) - (self.height, self.width) + 1
        corners = np.floor(numbers[:, :2] * room).astype(int)
        turned = np.arange(self.width)[::-1]
        picked = np.empty((len(batch), self.height, self.width, 3), np.uint8)
        for i, (top, left) in enumerate(corners):
            part = batch[i, top : top + self.height, left : left + self.width]
            if self.flip and numbers[i, 2] < 0.5:
                np.take(part, turned, axis=1, out=picked[i], mode="clip")  # half the time of part[:, ::-1]
            else:
                picked[i] = part
        return picked, 1 + self.brightness * (2 * numbers[:, 3] - 1)

    def plain(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, H, W, 3) uint8 to its centre crop, (N, height, width, 3), and factors of one."""
        top, left = (batch.shape[1] - self.height) // 2, (batch.shape[2] - self.width) // 2
        part = batch[:, top : top + self.height, left : left + self.width]
        return part.copy(), np.ones(len(batch), np.float32)


def to_float(pixels: np.ndarray | Tensor, light: np.ndarray | Tensor) -> Tensor:
    """(N, S, S, 3) uint8 and (N,) factors to (N, 3, S, S) float, clipped to [0, 1]."""
    out = from_uint8(pixels)
    light = np.asarray(light)
    if (light != 1).any():
        values = out.numpy()  # the same memory
        values *= light[:, None, None, None]
        np.clip(values, 0, 1, out=values)
    return out


class Skipped:
    """Which images of a source turned out unreadable: found by the processes that read, judged by the main one.

    Args:
        source: the images.
        allowed: share of them that may be skipped, 0 to 1.
    """

    def __init__(self, source: Source, allowed: float) -> None:
        self.source, self.allowed = source, allowed
        self.flags = torch.zeros(len(source), dtype=torch.bool).share_memory_()
        self.said = False

    def __len__(self) -> int:
        return int(self.flags.count_nonzero())

    def __contains__(self, index: int) -> bool:
        return bool(self.flags[index])

    def add(self, index: int) -> None:
        """Remember that image `index` cannot be read."""
        self.flags[index] = True

    def too_many(self) -> bool:
        """Whether more are unreadable than may be."""
        return len(self) > self.allowed * len(self.source)

    def check(self, among: int | None = None) -> None:
        """Say once that there are some; UserError when they are too many. For the main process.

        Args:
            among: how many images were asked for, where that is not all of them.
        """
        count, total = len(self), among or len(self.source)
        if not count or (self.said and count <= self.allowed * total):
            return
        # a copy: nonzero counts first, and must not find more than it counted
        unreadable = self.flags.clone().nonzero()
        first = (self._named(int(i)) for i in unreadable[:NAMED])
        refuse_too_many(count, total, self.allowed, first, "data.max_unreadable")
        print(f"warning: skipping unreadable images: {', '.join(first)}; further ones are only counted")
        self.said = True

    def _named(self, index: int) -> str:
        try:
            self.source.load(index)
        except Unreadable as error:
            return f"{self.source.name(index)} ({error})"
        return self.source.name(index)


def refuse_too_many(count: int, total: int, allowed: float, first: Iterable[str], setting: str) -> None:
    """UserError if `count` unreadable images of `total` exceed the share `allowed`."""
    if count > allowed * total:
        raise UserError(
            f"{count} of {total} images cannot be read ({100 * count / total:.2g} %, such as {', '.join(first)}): "
            f"repair or remove them, or set {setting} above {allowed:g}, the share that may be skipped"
        )


def check_share(allowed: float, setting: str) -> None:
    """UserError if the share of images that may be skipped is outside [0, 1]."""
    if not 0 <= allowed <= 1:
        raise UserError(f"{setting}={allowed} is not a share: set {setting}=0.01 for one image in a hundred")


class Images(Dataset):
    """A data set that returns whole batches.

    In training, an item is a pair (epoch, index): the augmentation depends only on seed, epoch and index, and an
    unreadable image is replaced by the next one of the source, with its own label and index. Otherwise, an item is an
    index, the image is the centre crop, and unreadable images are left out: a replacement would be measured twice.
    """

    def __init__(
        self, source: Source, augment: Augment, seed: int, train: bool, memory_gib: float, unreadable: float
    ) -> None:
        self.source, self.augment, self.seed, self.train = source, augment, seed, train
        self.skipped = Skipped(source, unreadable)
        self.held: np.ndarray | None = None
        self.fits = len(source) * math.prod(sides(source.size)) * 3 <= memory_gib * 2**30
        self.epoch, self.numbers = -1, np.empty((0, Augment.numbers), np.float32)

    def hold(self) -> None:
        """Read every image into memory, once, where they fit."""
        if self.fits and self.held is None:
            self.held = self._read_all()

    def _read_all(self) -> np.ndarray:
        pixels = self._room(len(self))
        pool = ThreadPoolExecutor()  # decoding leaves the interpreter lock
        try:
            loaded = pool.map(self._load, range(len(self)))
            for i, image in enumerate(track(loaded, "reading images", total=len(self), transient=True)):
                if image is not None:
                    pixels[i] = image
                elif self.skipped.too_many():
                    break
        finally:
            pool.shutdown(cancel_futures=True)
        self.skipped.check()
        return pixels

    def _room(self, count: int) -> np.ndarray:
        return np.empty((count, *sides(self.source.size), 3), np.uint8)

    def _load(self, index: int) -> np.ndarray | None:
        """Image `index`, or None, remembered, if it cannot be read."""
        if index in self.skipped:
            return None
        if self.held is not None:
            return self.held[index]
        try:
            return self.source.load(index)
        except Unreadable:
            self.skipped.add(index)
            return None

    def _find(self, index: int) -> tuple[int, np.ndarray] | None:
        """Image `index` or what stands in for it, and its number; None where there is nothing, or nothing in reason."""
        for i in range(index, index + (len(self) if self.train else 1)):
            image = self._load(i % len(self))
            if image is not None:
                return i % len(self), image
            if self.skipped.too_many():  # the main process ends the run when it gets the batch
                break
        return None

    def __len__(self) -> int:
        return len(self.source)

    def __getitems__(self, items: list) -> list[Raw]:
        asked = [item if self.train else (0, item) for item in items]
        loaded = [(epoch, index, *got) for epoch, index in asked if (got := self._find(int(index))) is not None]
        batch = self._room(len(loaded))
        for row, (*_, image) in zip(batch, loaded, strict=True):
            row[:] = image
        if self.train:
            numbers = [self._numbers(epoch)[index] for epoch, index, *_ in loaded]
            pixels, light = self.augment(batch, np.reshape(numbers, (-1, Augment.numbers)))
        else:
            pixels, light = self.augment.plain(batch)
        index = np.array([number for *_, number, _ in loaded], np.int64)
        return [tuple(map(torch.from_numpy, (pixels, light, self.source.labels[index], index)))]  # type: ignore[list-item]

    def image(self, index: int) -> Tensor:
        """One image as it is, the centre crop, (3, crop, crop) in [0, 1]."""
        loaded = self.source.load(index) if self.held is None else self.held[index]
        return to_float(*self.augment.plain(loaded[None]))[0]

    def _numbers(self, epoch: int) -> np.ndarray:
        if epoch != self.epoch:
            self.epoch = epoch
            self.numbers = np.random.default_rng((self.seed, 1, epoch)).random((len(self), Augment.numbers), np.float32)
        return self.numbers
