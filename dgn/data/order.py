"""The order of training images as a pure function of (seed, images seen): what makes resuming exact."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler


class Endless(Sampler):
    """Batches of (epoch, index) without end, from image `start` on: image t of a run is a pure function of seed and t.

    With several processes, each takes its own share of every batch.
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
