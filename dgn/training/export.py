"""Export a trained G as a bundle."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from torch import Tensor

from dgn import data
from dgn.generators import bundle
from dgn.generators.moments import Moments
from dgn.training.deepsim import DeepsimTraining
from dgn.training.settings import GeneratorSettings, MomentsSettings


def measure(module: DeepsimTraining, datamodule: data.DataModule, settings: MomentsSettings) -> Moments:
    """The moments of the codes of real training images; of all images if their codes are cached.

    Each process measures a share; the merged moments are exact.
    """
    rank, world = module.trainer.global_rank, module.trainer.world_size
    moments = Moments(settings.per_element)
    if module.kept is not None:
        for codes in module.kept.batches():
            moments.update(codes)
        return moments
    batches = datamodule.plain(settings.images)
    for i, (x, *_) in enumerate(track(batches, "measuring codes", transient=True, disable=rank > 0)):
        if i % world == rank:
            moments.update(module.encoder(x.to(module.device).type(module.dtype)).cpu())
    if world > 1:
        shares: list[Any] = [None] * world
        torch.distributed.all_gather_object(shares, moments)
        moments = shares[0]
        for share in shares[1:]:
            moments.merge(share)
    return moments


def held_out(module: DeepsimTraining, datamodule: data.DataModule) -> Iterator[tuple[Tensor]]:
    """Batches of held-out images on the module's device, one at a time: all may not fit into a GPU's memory."""
    for x, *_ in datamodule.val_dataloader():
        yield (x.to(module.device).type(module.dtype),)


@torch.no_grad()
def write(module: DeepsimTraining, datamodule: data.DataModule, config: GeneratorSettings, output: Path) -> Path:
    """Write the bundle, which has everything that synthesis needs; returns its path. Measures the codes' moments."""
    module.eval().to(module.trainer.strategy.root_device)
    moments = measure(module, datamodule, config.moments)
    encoder = config.encoder
    path = output / f"{encoder.name}-{encoder.layer}-{datamodule.name}.bundle.safetensors"
    if not module.trainer.is_global_zero:
        return path
    examples = datamodule.examples(config.kept_codes).split(data.BATCH)
    codes = torch.cat([module.encoder(x.to(module.device, module.dtype)).cpu() for x in examples])
    record = {
        "encoder": encoder.name,
        "layer": encoder.layer,
        "encoder_size": encoder.input.size,
        "data": datamodule.name,
        "holds": module.export_weights,
        **module.begun,
        "images_seen": module.images + module.begun.get("images_seen", 0),
        "errors": module.evaluate(held_out(module, datamodule)),
    }
    bundle.save(path, module.best(), moments, codes, record)
    for logger in module.trainer.loggers:
        logger.artifact(path, "bundle")  # type: ignore[attr-defined]
    print(f"bundle: {path}")
    return path
