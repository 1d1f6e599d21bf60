"""G whose pictures are enlarged before anyone sees them."""

from dataclasses import replace
from pathlib import Path

from torch import Tensor

from dgn.base import images
from dgn.base.errors import UserError
from dgn.base.precision import full
from dgn.generators import bundle
from dgn.generators.base import Generator
from dgn.generators.bundle import Bundle
from dgn.generators.enlarger import Enlarger
from dgn.networks import weights_file

PHOTOS = "photos"  # the enlarger that ships with dgn
ASSET = "asset:photos.enlarger.safetensors"


class Enlarged(Generator):
    """G and, of its pictures clipped to [0, 1], twice as large ones by an enlarger.

    Args:
        inner: G of pictures with three channels.
        enlarger: from any (N, 3, H, W) to (N, 3, 2H, 2W).
    """

    def __init__(self, inner: Generator, enlarger: Enlarger) -> None:
        super().__init__()
        self.inner, self.enlarger = inner, enlarger
        self.code_shape, self.args, self.searched = inner.code_shape, {}, inner.searched
        height, width = images.sides(inner.size)
        self.size = 2 * height if height == width else [2 * height, 2 * width]

    def forward(self, code: Tensor) -> Tensor:
        enlarged: Tensor = self.enlarger(full(self.inner(code)).clamp(0, 1))
        return enlarged


def find(name: str) -> Path:
    """The file of an enlarger: `PHOTOS`, a path, or a name on the hub. UserError if there is none."""
    return weights_file.find(ASSET if name == PHOTOS else name, "enlarger")


def called(name: str) -> str:
    """What a page calls it: `PHOTOS`, or its file without the folder."""
    return name.rpartition("/")[2]


def enlarged(prior: Bundle, name: str | None) -> Bundle:
    """The prior whose pictures are enlarged by the enlarger of this name or path; as it is without one.

    UserError for a file that holds no enlarger.
    """
    if name is None:
        return prior
    path = find(name)
    enlarger = bundle.load(path).generator
    if not isinstance(enlarger, Enlarger):
        raise UserError(f"{path} holds a generator that is no enlarger: set enlarger={PHOTOS}, or a file that "
                        "dgn train experiment=enlarger wrote")  # fmt: skip
    return replace(prior, generator=Enlarged(prior.generator, enlarger).eval())
