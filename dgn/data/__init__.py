"""Folders of images as training batches."""

from collections.abc import Mapping
from typing import Any

from hydra.utils import instantiate

from dgn.data.module import Augment, DataModule


def build(config: Mapping[str, Any], augment: Mapping[str, Any], seed: int) -> DataModule:
    """The data module of a `data` config with the task's `augment` settings."""
    train, val = instantiate(config["sources"])
    return DataModule(
        train=train,
        val=val,
        name=config["name"],
        augment=Augment(crop=config["crop"], **augment),
        seed=seed,
        **{key: config[key] for key in ("batch_size", "workers", "memory_gib", "val_images")},
    )
