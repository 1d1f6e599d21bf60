"""Data: from folders of images to training batches."""

from typing import TYPE_CHECKING, Any

from dgn.data.settings import AugmentSettings, DataSettings

if TYPE_CHECKING:
    from dgn.data.loader import BATCH as BATCH
    from dgn.data.loader import DataModule as DataModule
    from dgn.data.sources import Source


def build(
    settings: DataSettings, augment: AugmentSettings, seed: int, sources: tuple["Source", "Source"] | None = None
) -> "DataModule":
    """The data module of a command's `data`, with random augmentation of the training images.

    `sources` are training and held-out images from Python; by default those of the settings.
    """
    from dgn.base.instantiate import instantiate
    from dgn.data.loader import Augment, DataModule

    train, val = sources or instantiate(settings.sources)
    return DataModule(
        train=train,
        val=val,
        name=settings.name,
        augment=Augment(crop=settings.crop, pad=augment.pad, flip=augment.flip, brightness=augment.brightness),
        batch_size=settings.batch_size,
        workers=settings.workers,
        seed=seed,
        memory_gib=settings.memory_gib,
        val_images=settings.val_images,
        max_unreadable=settings.max_unreadable,
    )


def __getattr__(name: str) -> Any:
    """`DataModule` and `BATCH`, imported when asked for: `dgn data --help` does without torch."""
    if name in {"DataModule", "BATCH"}:
        from dgn.data import loader

        return getattr(loader, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
