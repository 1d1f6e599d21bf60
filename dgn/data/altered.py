"""Twice as many classes: those of a folder of images, and the same images altered (Nguyen et al. 2016, section 3.5).

A network that is trained on both must tell an altered image from the image, so the pictures of its units show whether
synthesis paints what the unit saw or what the generator knows.
"""

from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from dgn.data.sources import Source, imagefolder
from dgn.networks.class_names import readable

BLUR = 3 / 227  # the paper's radius of 3 px, in shares of its images' side
WORDS = {"bgr": "BGR", "mosaic": "shuffled", "blur": "blurred"}


def bgr(image: np.ndarray, _: int) -> np.ndarray:
    """Red and blue exchanged."""
    return image[..., ::-1]


def mosaic(image: np.ndarray, index: int) -> np.ndarray:
    """The four quarters in another order, drawn by the image's number. An odd side's last row and column stay."""
    half = len(image) // 2
    corners = [(0, 0), (0, half), (half, 0), (half, half)]
    random, order = np.random.default_rng(index), np.arange(4)
    while (order == np.arange(4)).all():
        order = random.permutation(4)
    moved = image.copy()
    for (top, left), source in zip(corners, order, strict=True):
        row, column = corners[source]
        moved[top : top + half, left : left + half] = image[row : row + half, column : column + half]
    return moved


def blur(image: np.ndarray, _: int) -> np.ndarray:
    """Gaussian blur of a radius of `BLUR` of the side."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(BLUR * len(image))))


ALTERATIONS = {"bgr": bgr, "mosaic": mosaic, "blur": blur}


class Altered(Source):
    """The images of a source with N classes, then all of them altered, as classes N to 2N - 1."""

    def __init__(self, source: Source, alteration: str) -> None:
        self.source, self.alter, self.word = source, ALTERATIONS[alteration], WORDS[alteration]
        self.size, classes = source.size, readable(source.classes)
        self.classes = [*classes, *(f"{self.word} {name}" for name in classes)]
        self.labels = np.concatenate([source.labels, source.labels + len(classes)])

    def load(self, index: int) -> np.ndarray:
        number = index % len(self.source)
        image = self.source.load(number)
        return image if index < len(self.source) else np.ascontiguousarray(self.alter(image, number))

    def name(self, index: int) -> str:
        name = self.source.name(index % len(self.source))
        return name if index < len(self.source) else f"{name} {self.word}"


def altered(
    root: str | None, size: int, held_out: int, alteration: Literal["bgr", "mosaic", "blur"]
) -> tuple[Source, Source]:
    """Training and held-out images of `imagefolder` as they are and altered; twice the classes."""
    train, val = imagefolder(root, size, held_out, "altered")
    return Altered(train, alteration), Altered(val, alteration)
