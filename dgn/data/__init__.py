"""Data: from folders of images to training batches."""

from typing import TYPE_CHECKING, Any

from dgn.data.settings import AugmentSettings, DataSettings

if TYPE_CHECKING:
    from dgn.data.loader import BATCH as BATCH
    from dgn.data.loader import DataModule as DataModule


KEYS = {"batch_size", "workers", "memory_gib", "val_images", "max_unreadable"}


def build(settings: DataSettings, augment: AugmentSettings, seed: int) -> "DataModule":
    """The data module of a command's `data`, with random changes of the training images."""
    from dgn.base.instantiate import instantiate
    from dgn.data.loader import Augment, DataModule

    train, val = instantiate(settings.sources)
    return DataModule(
        train=train,
        val=val,
        name=settings.name,
        augment=Augment(crop=settings.crop, **augment.plain()),
        seed=seed,
        **settings.model_dump(include=KEYS),
    )


def __getattr__(name: str) -> Any:
    """`DataModule` and `BATCH`, imported when asked for: `dgn data --help` does without torch."""
    if name in {"DataModule", "BATCH"}:
        from dgn.data import loader

        return getattr(loader, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
