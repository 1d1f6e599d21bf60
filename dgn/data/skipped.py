"""Images that cannot be read: counted, named, and too many of them are an error; never a crash hours in."""

from collections.abc import Iterable

import torch

from dgn.base.errors import UserError
from dgn.base.images import Unreadable
from dgn.data.sources import Source

NAMED = 3  # how many of them a message names


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
        found = self.flags.clone().nonzero()  # a copy: nonzero counts first, and must not find more than it counted
        first = (self._named(int(i)) for i in found[:NAMED])
        refuse_too_many(count, total, self.allowed, first, "data.unreadable")
        print(f"skipping images that cannot be read: {', '.join(first)}; from here on they are only counted")
        self.said = True

    def _named(self, index: int) -> str:
        try:
            self.source.load(index)
        except Unreadable as error:
            return f"{self.source.name(index)} ({error})"
        return self.source.name(index)


def refuse_too_many(count: int, total: int, allowed: float, first: Iterable[str], setting: str) -> None:
    """UserError where `count` unreadable images of `total` are more than the share `allowed`."""
    if count > allowed * total:
        raise UserError(
            f"{count} of {total} images cannot be read ({100 * count / total:.2g} %, among them {', '.join(first)}): "
            f"mend or remove them, or type {setting}=SHARE with more than the {allowed:g} that may be skipped"
        )


def check_share(allowed: float, setting: str) -> None:
    """UserError where the share of images that may be skipped is not one."""
    if not 0 <= allowed <= 1:
        raise UserError(f"{setting}={allowed} is not a share: type {setting}=0.01 for one image in a hundred")
