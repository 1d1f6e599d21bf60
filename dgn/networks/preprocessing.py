"""Preprocessing: from RGB images in [0, 1] to a network's input."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor

from dgn.base import images
from dgn.base.errors import UserError, nearest

CHOICES = {
    "order": ("rgb", "bgr"),
    "interpolation": ("bilinear", "bicubic", "nearest"),
    "fit": ("resize", "crop"),
}


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """A network's preprocessing: (x · scale − mean) / std in its channel order, for RGB images x in [0, 1].

    Attributes:
        size: side of the square input, pixels.
        mean: per channel, in the network's own order and on its own scale; one number serves all.
        std: likewise.
        scale: 1 for networks of [0, 1] images, 255 for those of the Caffe era.
        channels: of its input: images that have as many pass as they are, others see `images.channels`.
        order: "rgb" or "bgr".
        interpolation: how images of another size are brought to it: "bilinear", "bicubic" or "nearest".
        fit: "resize" brings the whole image to `size`; "crop" takes the centre, as the released code does.

    Raises UserError for any other value.
    """

    size: int
    mean: Sequence[float]
    std: Sequence[float]
    scale: float
    channels: int
    order: str
    interpolation: str
    fit: str

    def __post_init__(self) -> None:
        for key, known in CHOICES.items():
            if getattr(self, key) not in known:
                raise UserError(f"input.{key}={getattr(self, key)} is not a valid choice: set {' or '.join(known)}")
        for key in ("mean", "std"):
            given = getattr(self, key)
            if len(given) not in {1, self.channels}:
                raise UserError(f"input.{key} has {len(given)} values for {self.channels} channels: set one value, "
                                f"input.{key}=[{given[0]}], or one per channel")  # fmt: skip

    def fitted(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) brought to this size; a crop is taken only where the image is larger."""
        if self.fit == "crop" and min(x.shape[-2:]) > self.size:
            return images.crop_centre(x, self.size)
        return images.resize(x, self.size, self.interpolation)

    def normalise(self, x: Tensor) -> Tensor:
        """RGB or grey in [0, 1] of any size, or images with the network's own channels, to its channels and scale."""
        x = images.channels(x, self.channels)
        if self.order == "bgr":
            x = x.flip(1)
        mean, std = (images.constant(tuple(v), x.device, x.dtype) for v in (self.mean, self.std))
        return (x * self.scale - mean) / std


def from_config(given: Mapping[str, Any]) -> Preprocessing:
    """The contract of a network's `input`; UserError for a key too many or too few."""
    if not isinstance(given, Mapping):
        raise UserError(f"input={given!r} is not a group of keys: set them one by one, as in input.size=64")
    known = [field.name for field in fields(Preprocessing)]
    for key in given:
        if key not in known:
            raise UserError(f"there is no key 'input.{key}': {nearest(key, known)}")
    for key in known:
        if given.get(key) is None:
            raise UserError(f"input.{key} has no value: set it, or begin the YAML with 'defaults: [custom]'")
    one = {key: [given[key]] for key in ("mean", "std") if isinstance(given[key], int | float)}
    for key in ("size", "channels", "scale", "mean", "std"):
        whole = key in {"size", "channels"}
        values, kinds = given[key] if key in {"mean", "std"} else [given[key]], int if whole else int | float
        values = one.get(key, values)
        if not (isinstance(values, Sequence) and values) or not all(
            isinstance(v, kinds) and not isinstance(v, bool) for v in values
        ):
            raise UserError(f"input.{key}={given[key]} is not {'a whole number' if whole else 'a number'}: set one")
        if whole and given[key] < 1:
            raise UserError(f"input.{key}={given[key]} is less than one: set one or more")
    return Preprocessing(**{**given, **one})
