"""The Lightning data module: training stream and held-out images."""

import operator
from collections.abc import Iterable, Iterator
from copy import copy
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader

from dgn.base.errors import UserError
from dgn.base.images import sides
from dgn.data.dataset import Augment, Endless, Images, Raw, check_share, to_float
from dgn.data.sources import Source
from dgn.data.workers import count, readers

BATCH = 128  # images at a time where nothing is trained on them
Batch = tuple[Tensor, Tensor, Tensor]  # images (N, 3, crop, crop) in [0, 1], labels, indices


class Loader(DataLoader):
    """A DataLoader over `Images` that gives a `Batch` each.

    Unreadable images are said once, too many are a UserError, and a batch without any other is not given.
    """

    dataset: Images

    def __iter__(self) -> Any:
        pinned = torch.cuda.is_available()
        for pixels, light, labels, index in super().__iter__():
            self.dataset.skipped.check()
            if len(index):
                images = to_float(pixels, light)
                yield images.pin_memory() if pinned else images, labels, index


class DataModule(pl.LightningDataModule):
    """Two sources as Lightning data: an endless, resumable training stream and the held-out images in order.

    `batch_size` is per process. `start` (the images seen before) is set by whoever resumes.
    """

    def __init__(
        self,
        *,
        train: Source,
        val: Source,
        name: str,
        augment: Augment,
        batch_size: int,
        workers: int | str,
        seed: int,
        memory_gib: float,
        val_images: int | None,
        max_unreadable: float,
    ) -> None:
        super().__init__()
        if any(map(operator.gt, sides(augment.crop), sides(train.size))):
            raise UserError(f"data.crop={augment.crop} is larger than data.resize={train.size}: "
                            f"set data.resize={augment.crop} or more")  # fmt: skip
        check_share(max_unreadable, "data.max_unreadable")
        count(workers, 0)
        self.name, self.classes = name, list(train.classes)
        self.batch_size, self.workers, self.seed, self.val_images = batch_size, workers, seed, val_images
        self.train = Images(train, augment, seed, True, memory_gib, max_unreadable)
        self.val = Images(val, augment, seed, False, memory_gib, max_unreadable)
        self.start = 0

    def setup(self, stage: str) -> None:
        """Read what is measured on once: too many unreadable images end a run now, not at its first evaluation."""
        for _ in track(self.val_dataloader(), "reading held-out images", transient=True):
            pass
        self.val.skipped.check(self.held_out)

    @property
    def held_out(self) -> int:
        """How many held-out images are measured on."""
        return min(self.val_images or len(self.val), len(self.val))

    @property
    def skipped(self) -> int:
        """How many images turned out unreadable so far, in all processes that read for this one."""
        return len(self.train.skipped) + len(self.val.skipped)

    def _loader(self, dataset: Images, sampler: Iterable) -> Loader:
        dataset.hold()
        here = self.trainer.num_devices if self.trainer else 1
        workers = 0 if dataset.held is not None else count(self.workers, readers(here))
        # its own generator: the loader must not draw from the stream that dropout uses
        return Loader(
            dataset,
            batch_sampler=sampler,
            num_workers=workers,
            persistent_workers=workers > 0,
            collate_fn=first,
            generator=torch.Generator(),
        )

    def train_dataloader(self) -> Loader:
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        return self._loader(self.train, Endless(len(self.train), self.batch_size, self.seed, self.start, rank, world))

    def plain(self, most: int) -> Iterator[Batch]:
        """At most `most` training images as they are (centre crops), spread evenly, in batches."""
        return self.in_order(np.linspace(0, len(self.train) - 1, min(most, len(self.train))).astype(int))

    def in_order(self, indices: np.ndarray) -> Iterator[Batch]:
        """These training images as they are (centre crops), in batches of at most `BATCH`."""
        self.train.hold()
        view = copy(self.train)
        view.train = False
        return iter(self._loader(view, np.array_split(indices, max(1, -(-len(indices) // BATCH)))))

    def val_dataloader(self) -> Loader:
        """Held-out images in a fixed order, `val_images` of them, spread evenly over the classes; UserError for one."""
        if self.held_out < 2:
            raise UserError("there are fewer than two held-out images: add more, or set data.sources.held_out=5 to "
                            "hold out every fifth image")  # fmt: skip
        every = self._measured()
        batches = [part.tolist() for part in np.array_split(every, -(-len(every) // self.batch_size))]
        return self._loader(self.val, batches)

    def examples(self, most: int) -> Tensor:
        """At most `most` of the images that are measured on, (N, 3, crop, crop) in [0, 1]: always the same, spread
        evenly over the classes. What cannot be read is left out."""
        measured = self._measured()
        chosen = measured[np.linspace(0, len(measured) - 1, min(most, len(measured))).astype(int)]
        ((pixels, light, *_),) = self.val.__getitems__(chosen.tolist())
        return to_float(pixels, light)

    def _measured(self) -> np.ndarray:
        by_class = np.argsort(self.val.source.labels, kind="stable")  # a source may list its classes in turn
        return by_class[np.linspace(0, len(self.val) - 1, self.held_out).astype(int)]


def first(batches: list[Raw]) -> Raw:
    """`Images` gives whole batches, so there is nothing to collate."""
    return batches[0]
