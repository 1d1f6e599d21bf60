"""Batches whose order and augmentation are pure functions of (seed, position): what makes resuming exact."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy

import numpy as np
import pytorch_lightning as pl
import torch
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from dgn.data.sources import Source
from dgn.images import from_uint8


class Augment:
    """Random crop, flip and brightness as one gather over a batch; the numbers come with the batch, not from here.

    `pad` pixels are reflected at each border before the crop; `crop` is the side that comes out, in pixels.
    """

    numbers = 4  # random numbers an image: row, column, flip, brightness

    def __init__(self, crop: int, pad: int, flip: bool, brightness: float) -> None:
        self.crop, self.pad, self.flip, self.brightness = crop, pad, flip, brightness

    def __call__(self, batch: np.ndarray, numbers: np.ndarray) -> Tensor:
        """(N, S, S, 3) uint8 and (N, 4) in [0, 1) to (N, 3, crop, crop) float in [0, 1]."""
        size = batch.shape[1]
        room = size + 2 * self.pad - self.crop + 1
        steps = np.arange(self.crop)
        rows = reflect(np.floor(numbers[:, :1] * room).astype(int) - self.pad + steps, size)
        columns = reflect(np.floor(numbers[:, 1:2] * room).astype(int) - self.pad + steps, size)
        if self.flip:
            columns = np.where(numbers[:, 2:3] < 0.5, columns[:, ::-1], columns)
        picked = batch[np.arange(len(batch))[:, None, None], rows[:, :, None], columns[:, None, :]]
        out = from_uint8(torch.from_numpy(picked))
        if self.brightness:
            factor = 1 + self.brightness * (2 * torch.from_numpy(numbers[:, 3]).float() - 1)
            out = out.mul_(factor[:, None, None, None]).clamp_(0, 1)
        return out


def reflect(position: np.ndarray, size: int) -> np.ndarray:
    """Mirror positions outside 0 … size − 1 back in, the border itself not repeated."""
    position = np.abs(position)
    return np.where(position >= size, 2 * (size - 1) - position, position)


class Images(Dataset):
    """A source as a data set of (image in [0, 1], label, index), asked for whole batches at a time.

    In training, an item is a pair (epoch, index): the augmentation is a function of seed, epoch and index alone.
    In validation, an item is an index and the image is the centre crop.
    """

    def __init__(self, source: Source, augment: Augment, seed: int, train: bool, memory_gib: float) -> None:
        self.source, self.augment, self.seed, self.train = source, augment, seed, train
        self.held: np.ndarray | None = None
        self.fits = len(source) * source.size**2 * 3 <= memory_gib * 2**30
        self.epoch, self.numbers = -1, np.empty((0, Augment.numbers), np.float32)

    def hold(self) -> None:
        """Read every image into memory, once, where they fit."""
        if self.fits and self.held is None:
            self.held = self._read_all()

    def _read_all(self) -> np.ndarray:
        held = np.empty((len(self), self.source.size, self.source.size, 3), np.uint8)
        with ThreadPoolExecutor() as pool:  # decoding leaves the interpreter lock
            loaded = pool.map(self.source.load, range(len(self)), chunksize=64)
            for i, image in enumerate(track(loaded, "reading images", total=len(self), transient=True)):
                held[i] = image
        return held

    def __len__(self) -> int:
        return len(self.source)

    def __getitems__(self, items: list) -> list[tuple[Tensor, Tensor, Tensor]]:
        index = np.array([item[1] if self.train else item for item in items])
        if self.held is not None:
            batch = self.held[index]
        else:
            batch = np.stack([self.source.load(int(i)) for i in index])
        if self.train:
            numbers = np.stack([self._numbers(epoch)[i] for epoch, i in items])
            out = self.augment(batch, numbers)
        else:
            out = self._plain(batch)
        labels = torch.tensor([self.source.labels[i] for i in index])
        return [(out, labels, torch.from_numpy(index))]

    def _plain(self, batch: np.ndarray) -> Tensor:
        margin = (batch.shape[1] - self.augment.crop) // 2
        side = slice(margin, margin + self.augment.crop)
        return from_uint8(torch.from_numpy(batch[:, side, side].copy()))

    def image(self, index: int) -> Tensor:
        """One image as it is, the centre crop, (3, crop, crop) in [0, 1]."""
        loaded = self.source.load(index) if self.held is None else self.held[index]
        return self._plain(loaded[None])[0]

    def _numbers(self, epoch: int) -> np.ndarray:
        if epoch != self.epoch:
            self.epoch = epoch
            self.numbers = np.random.default_rng((self.seed, 1, epoch)).random((len(self), Augment.numbers), np.float32)
        return self.numbers


class Endless(Sampler):
    """Batches of (epoch, index) without end, from iteration `start` on: batch t is a pure function of seed and t.

    With several processes, each takes its own share of every batch.
    """

    def __init__(self, size: int, batch: int, seed: int, start: int = 0, rank: int = 0, world: int = 1) -> None:
        self.size, self.batch, self.seed, self.start = size, batch, seed, start
        self.rank, self.world = rank, world

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        position, known, order = self.start * self.batch * self.world, -1, np.empty(0, int)
        while True:
            batch = []
            for i in range(position, position + self.batch * self.world):
                epoch = i // self.size
                if epoch != known:
                    known, order = epoch, np.random.default_rng((self.seed, 0, epoch)).permutation(self.size)
                batch.append((epoch, int(order[i % self.size])))
            position += self.batch * self.world
            yield batch[self.rank :: self.world]


class DataModule(pl.LightningDataModule):
    """Two sources as Lightning data: an endless, resumable training stream and the held-out images in order.

    `batch_size` is per process. `start` (the iteration to begin at) is set by whoever resumes.
    """

    def __init__(
        self,
        *,
        train: Source,
        val: Source,
        name: str,
        augment: Augment,
        batch_size: int,
        workers: int,
        seed: int,
        memory_gib: float,
        val_images: int | None,
    ) -> None:
        super().__init__()
        self.name, self.classes = name, list(train.classes)
        self.batch_size, self.workers, self.seed, self.val_images = batch_size, workers, seed, val_images
        self.train = Images(train, augment, seed, True, memory_gib)
        self.val = Images(val, augment, seed, False, memory_gib)
        self.start = 0

    def _loader(self, dataset: Images, sampler: Iterable) -> DataLoader:
        dataset.hold()
        workers = 0 if dataset.held is not None else self.workers
        # its own generator: the loader must not draw from the stream that dropout uses
        return DataLoader(
            dataset,
            batch_sampler=sampler,
            num_workers=workers,
            persistent_workers=workers > 0,
            collate_fn=first,
            generator=torch.Generator(),
            pin_memory=torch.cuda.is_available(),
        )

    def train_dataloader(self) -> DataLoader:
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        return self._loader(self.train, Endless(len(self.train), self.batch_size, self.seed, self.start, rank, world))

    def plain(self, most: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """At most `most` training images as they are (centre crops), spread evenly, in batches."""
        self.train.hold()
        view = copy(self.train)
        view.train = False
        every = np.linspace(0, len(view) - 1, min(most, len(view))).astype(int)
        return iter(self._loader(view, np.array_split(every, -(-len(every) // 128))))

    def val_dataloader(self) -> DataLoader:
        """Held-out images in a fixed order, `val_images` of them, spread evenly over the classes."""
        every = np.linspace(0, len(self.val) - 1, min(self.val_images or len(self.val), len(self.val))).astype(int)
        batches = [part.tolist() for part in np.array_split(every, max(1, len(every) // self.batch_size))]
        return self._loader(self.val, batches)


def first(batches: list) -> tuple[Tensor, Tensor, Tensor]:
    """`Images` gives whole batches, so there is nothing to collate."""
    return batches[0]
