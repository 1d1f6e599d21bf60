"""A source as a data set of whole batches, read from files or from memory."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from rich.progress import track
from torch import Tensor
from torch.utils.data import Dataset

from dgn.base.images import Unreadable
from dgn.data.augment import Augment, to_float
from dgn.data.skipped import Skipped
from dgn.data.sources import Source

Raw = tuple[Tensor, Tensor, Tensor, Tensor]  # pixels (N, crop, crop, 3) uint8, factor on their light, label, index


class Images(Dataset):
    """A source as a data set that is asked for whole batches at a time.

    In training, an item is a pair (epoch, index): the augmentation is a function of seed, epoch and index alone, and
    for an image that cannot be read the next one in the source's order stands in, with its own label and index.
    Otherwise, an item is an index, the image is the centre crop, and what cannot be read is left out: a stand-in would
    be measured twice.
    """

    def __init__(
        self, source: Source, augment: Augment, seed: int, train: bool, memory_gib: float, unreadable: float
    ) -> None:
        self.source, self.augment, self.seed, self.train = source, augment, seed, train
        self.skipped = Skipped(source, unreadable)
        self.held: np.ndarray | None = None
        self.fits = len(source) * source.size**2 * 3 <= memory_gib * 2**30
        self.epoch, self.numbers = -1, np.empty((0, Augment.numbers), np.float32)

    def hold(self) -> None:
        """Read every image into memory, once, where they fit."""
        if self.fits and self.held is None:
            self.held = self._read_all()

    def _read_all(self) -> np.ndarray:
        held = self._room(len(self))
        pool = ThreadPoolExecutor()  # decoding leaves the interpreter lock
        try:
            loaded = pool.map(self._load, range(len(self)))
            for i, image in enumerate(track(loaded, "reading images", total=len(self), transient=True)):
                if image is not None:
                    held[i] = image
                elif self.skipped.too_many():
                    break
        finally:
            pool.shutdown(cancel_futures=True)
        self.skipped.check()
        return held

    def _room(self, count: int) -> np.ndarray:
        return np.empty((count, self.source.size, self.source.size, 3), np.uint8)

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
        found = [(epoch, index, *got) for epoch, index in asked if (got := self._find(int(index))) is not None]
        batch = self._room(len(found))
        for row, (*_, image) in zip(batch, found, strict=True):
            row[:] = image
        if self.train:
            numbers = [self._numbers(epoch)[index] for epoch, index, *_ in found]
            pixels, light = self.augment(batch, np.reshape(numbers, (-1, Augment.numbers)))
        else:
            pixels, light = self.augment.plain(batch)
        index = np.array([number for *_, number, _ in found], np.int64)
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
