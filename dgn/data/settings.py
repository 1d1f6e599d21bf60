"""Settings of data sets, of augmentation, and of `dgn data prepare`."""

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


class AugmentSettings(Settings):
    """Random changes of training images: shifts in pixels, mirroring, brightness."""

    pad: Annotated[int, Field(ge=0)]
    flip: bool
    brightness: NotNegative


class PrepareSettings(Settings):
    """How `dgn data prepare` writes a data set again."""

    size: Count
    quality: Annotated[int, Field(ge=1, le=95)]
    workers: Count | Literal["auto"]
    max_unreadable: Share
