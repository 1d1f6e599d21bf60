"""Preprocessing: from RGB images in [0, 1] to a network's input."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from dgn.base import images
from dgn.networks.settings import InputSettings


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """A network's preprocessing: (x · scale − mean) / std in its channel order, for RGB images x in [0, 1].

    Attributes:
        size: of the input, pixels: side of a square, or (height, width).
        mean: per channel, in the network's own order and on its own scale; one number serves all.
        std: likewise.
        scale: 1 for networks of [0, 1] images, 255 for those of the Caffe era.
        channels: of its input: images that have as many pass as they are, others see `images.channels`.
        order: "rgb" or "bgr".
        interpolation: how images of another size are brought to it: "bilinear", "bicubic" or "nearest".
        fit: "resize" brings the whole image to `size`; "crop" takes the centre, as the released code does; "none"
            leaves it as it is, and `size` is then that of the images on which the network is tried.
    """

    size: int | Sequence[int]
    mean: Sequence[float]
    std: Sequence[float]
    scale: float
    channels: int
    order: str
    interpolation: str
    fit: str

    @classmethod
    def of(cls, settings: InputSettings) -> "Preprocessing":
        """The preprocessing that the settings of a network's input say."""
        mean, std = ([value] if isinstance(value, float) else value for value in (settings.mean, settings.std))
        return cls(**settings.plain() | {"mean": mean, "std": std})

    def fitted(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) brought to this size; a crop is taken only where the image is larger."""
        if self.fit == "none":
            return x
        if self.fit == "crop" and all(map(operator.gt, x.shape[-2:], images.sides(self.size))):
            return images.crop_centre(x, self.size)
        return images.resize(x, self.size, self.interpolation)

    def normalise(self, x: Tensor) -> Tensor:
        """RGB or grey in [0, 1] of any size, or images with the network's own channels, to its channels and scale."""
        x = images.channels(x, self.channels)
        if self.order == "bgr":
            x = x.flip(1)
        mean, std = (images.constant(tuple(v), x.device, x.dtype) for v in (self.mean, self.std))
        return (x * self.scale - mean) / std
