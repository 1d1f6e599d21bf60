"""Settings of data sets, of augmentation, and of `dgn data prepare`."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from dgn.base.typed import Count, NotNegative, Settings, Share, Size


class DataSettings(Settings):
    """Images in folders, their sizes and how they are read: conf/images.yaml, conf/data."""

    name: str
    root: str | None
    sources: dict[str, Any]
    resize: Size
    crop: Size
    batch_size: Count
    workers: Annotated[int, Field(ge=0)] | Literal["auto"]
    memory_gib: NotNegative
    val_images: Count | None
    max_unreadable: Share

    def resized(self, size: int | Sequence[int]) -> "DataSettings":
        """The same images brought to squares of a side, or to a height and width, pixels."""
        size = size if isinstance(size, int) else list(size)
        sized = {"sources": self.sources | {"size": size}, "resize": size, "crop": size}
        return self.model_copy(update=sized)


class AugmentSettings(Settings):
    """Random changes of training images: shifts in pixels, mirroring, brightness."""

    pad: Annotated[int, Field(ge=0)]
    flip: bool
    brightness: NotNegative


UNCHANGED = AugmentSettings(pad=0, flip=False, brightness=0)  # for what is measured


class PrepareSettings(Settings):
    """How `dgn data prepare` writes a data set again."""

    size: Count
    quality: Annotated[int, Field(ge=1, le=95)]
    workers: Count | Literal["auto"]
    max_unreadable: Share
