"""Real images of the classes of pictures, brought to the pictures' size."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from dgn import data
from dgn.base import images
from dgn.data.dataset import Images, to_float
from dgn.data.loader import BATCH
from dgn.data.settings import UNCHANGED, DataSettings
from dgn.networks import class_names
from dgn.units.names import ClassNames


class RealImages:
    """Held-out images by class, always the same ones, of each class equally many.

    Args:
        settings: where they are.
        side: of the squares that they are brought to, pixels.
        channels: 3, or 1 for their mean.
        per_class: at most so many of each class.
    """

    def __init__(self, settings: DataSettings, side: int, channels: int, per_class: int) -> None:
        module = data.build(settings.resized(side), UNCHANGED, seed=0)
        self.images: Images = module.val
        self.channels, self.per_class = channels, per_class
        self.names = ClassNames(class_names.readable(list(module.classes)))

    def knows(self, name: str | None) -> bool:
        """Whether there are images of the class of this name."""
        place = None if name is None else self.names.find(name)
        return place is not None and bool((self.images.source.labels == place).any())

    def of(self, classes: Sequence[str]) -> Iterator[tuple[Tensor, list[str]]]:
        """Images (N, C, side, side) in [0, 1] and the class of each, as it is called here, in batches."""
        labels = self.images.source.labels
        found = {name: np.flatnonzero(labels == self.names.find(name)) for name in classes}
        fewest = min([self.per_class, *map(len, found.values())], default=0)
        pairs = [(int(index), name) for name, indices in found.items() for index in indices[:fewest]]
        yield from self._read(pairs)

    def first(self, classes: Sequence[str]) -> tuple[Tensor, list[str]]:
        """One image of each class, (N, C, side, side) in [0, 1], and the class of each."""
        labels = self.images.source.labels
        pairs = [(int(np.flatnonzero(labels == self.names.find(name))[0]), name) for name in classes]
        found = list(self._read(pairs))
        return torch.cat([x for x, _ in found]), [name for _, names in found for name in names]

    def spread(self, most: int) -> Iterator[tuple[Tensor, list[str]]]:
        """At most so many images, spread evenly over all classes, and the class of each, in batches."""
        labels = self.images.source.labels
        by_class = np.argsort(labels, kind="stable")
        chosen = by_class[np.linspace(0, len(by_class) - 1, min(most, len(by_class))).astype(int)]
        yield from self._read([(int(i), self.names.classes[labels[i]]) for i in chosen])

    def _read(self, pairs: Sequence[tuple[int, str]]) -> Iterator[tuple[Tensor, list[str]]]:
        names = dict(pairs)
        for start in range(0, len(pairs), BATCH):
            asked = [index for index, _ in pairs[start : start + BATCH]]
            ((pixels, light, _, index),) = self.images.__getitems__(asked)
            self.images.skipped.check(len(pairs))
            if len(index):
                yield images.channels(to_float(pixels, light), self.channels), [names[i] for i in index.tolist()]
