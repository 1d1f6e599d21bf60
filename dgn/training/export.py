"""Export a trained G as a bundle."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from torch import Tensor

from dgn import data
from dgn.generators import bundle
from dgn.generators.moments import Moments
from dgn.training.deepsim import DeepsimTraining


def measure(module: DeepsimTraining, datamodule: data.DataModule, config: Mapping[str, Any]) -> Moments:
    """The moments of the codes of real training images, of all where they are kept.

    Several processes measure a share each, exactly merged.
    """
    rank, world = module.trainer.global_rank, module.trainer.world_size
    moments = Moments(config["per_element"])
    if module.kept is not None:
        for codes in module.kept.batches():
            moments.update(codes)
        return moments
    batches = datamodule.plain(config["images"])
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
    """Batches of held-out images on the module's device: one at a time, for all may be more than a GPU holds."""
    for x, *_ in datamodule.val_dataloader():
        yield (x.to(module.device).type(module.dtype),)


@torch.no_grad()
def write(module: DeepsimTraining, datamodule: data.DataModule, config: dict[str, Any], output: Path) -> Path:
    """Measure the codes of real training images and write everything that synthesis needs to one file; its path."""
    module.eval().to(module.trainer.strategy.root_device)
    moments = measure(module, datamodule, config["moments"])
    node = config["encoder"]
    path = output / f"{node['name']}-{node['layer']}-{datamodule.name}.bundle.safetensors"
    if not module.trainer.is_global_zero:
        return path
    examples = datamodule.examples(config["kept_codes"]).split(data.BATCH)
    codes = torch.cat([module.encoder(x.to(module.device, module.dtype)).cpu() for x in examples])
    record = {
        "encoder": node["name"],
        "layer": node["layer"],
        "encoder_size": node["input"]["size"],
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
