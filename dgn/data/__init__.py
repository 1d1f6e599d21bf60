"""Data: from folders of images to training batches."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dgn.data.loader import BATCH as BATCH
    from dgn.data.loader import DataModule as DataModule

KEYS = ("batch_size", "workers", "memory_gib", "val_images", "max_unreadable")


def build(config: Mapping[str, Any], augment: Mapping[str, Any], seed: int) -> "DataModule":
    """The data module of a `data` config with the task's `augment` settings."""
    from dgn.base.instantiate import instantiate
    from dgn.data.loader import Augment, DataModule

    train, val = instantiate(config["sources"])
    return DataModule(
        train=train,
        val=val,
        name=config["name"],
        augment=Augment(crop=config["crop"], **augment),
        seed=seed,
        **{key: config[key] for key in KEYS},
    )


def __getattr__(name: str) -> Any:
    """`DataModule` and `BATCH`, imported when asked for: `dgn data --help` does without torch."""
    if name in {"DataModule", "BATCH"}:
        from dgn.data import loader

        return getattr(loader, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
