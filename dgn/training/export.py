"""Write a training's G as a bundle: the latest while it trains, the final one at its end."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from torch import Tensor

from dgn import data
from dgn.base.errors import UserError
from dgn.evaluation import candidates, verdict
from dgn.generators import bundle, inverted, lookup
from dgn.generators.moments import Moments
from dgn.training.deepsim import DeepsimTraining
from dgn.training.settings import GeneratorSettings, MomentsSettings

LATEST = "latest.bundle.safetensors"


class Export:
    """The bundles of one run, which have everything that synthesis needs. E is frozen: its codes are measured once.

    Each process calls the methods, the first one writes.
    """

    def __init__(
        self, module: DeepsimTraining, datamodule: data.DataModule, config: GeneratorSettings, output: Path
    ) -> None:
        self.module, self.datamodule, self.config, self.output = module, datamodule, config, output
        self.moments: Moments | None = None
        self.codes: Tensor | None = None

    @torch.no_grad()
    def latest(self, errors: Mapping[str, float], stopped: Callable[[], bool]) -> None:
        """Write `LATEST` during training, atomically.

        Args:
            errors: G's, just measured.
            stopped: ends the measuring of the codes, if that is still to be done; then nothing is written.
        """
        if self.moments is None:
            self.moments = measure(self.module, self.datamodule, self.config.moments, stopped)
        if self.moments is not None and self.module.trainer.is_global_zero:
            self._write(self.output / LATEST, self.moments, errors)

    @torch.no_grad()
    def final(self, news: bool = True) -> Path:
        """Write the bundle of the whole run and remove `LATEST`; returns its path.

        Without `news`, from a complete run that was resumed, a bundle of as many images stays: written once more by
        another number of threads its last bits may differ, and what was made with it would not know it.
        """
        module, encoder = self.module, self.config.encoder
        path = self.output / f"{encoder.name}-{encoder.layer}-{self.datamodule.name}.bundle.safetensors"
        if not news and self._is_of_this_run(path):
            if module.trainer.is_global_zero:
                print(f"bundle: {path}, as it was: the run is complete")
            return path
        module.eval().to(module.trainer.strategy.root_device)
        moments = self.moments or measure(module, self.datamodule, self.config.moments)
        if module.trainer.is_global_zero and moments is not None:
            errors = module.evaluate(held_out(module, self.datamodule))
            self._write(path, moments, errors)
            (self.output / LATEST).unlink(missing_ok=True)
            for logger in module.trainer.loggers:
                logger.artifact(path, "bundle")  # type: ignore[attr-defined]
            print(f"bundle: {path}")
            if said := self._verdict(errors):
                print(said)
        return path

    def _is_of_this_run(self, path: Path) -> bool:
        """Whether a file is a bundle of as many images."""
        try:
            return bundle.load(path, type(self.module.generator)).record.get("images_seen") == self._images()
        except UserError:
            return False

    def _images(self) -> int:
        """Training images that G has seen, those before a warm start among them."""
        return self.module.images + self.module.begun.get("images_seen", 0)

    def _verdict(self, errors: Mapping[str, float]) -> str:
        """What is wrong with G, if anything: by its own number, and beside the encoder's default bundle."""
        module, config = self.module, self.config
        vector = len(module.generator.code_shape) == 1
        images = len(self.datamodule.train)
        after = partial(verdict.after_training, errors, folder=self.output, iterations=module.iteration, images=images,
                        vector=vector)  # fmt: skip
        name = config.encoder.default_bundle
        shipped = bundle.load(path) if (path := lookup.shipped().get(name)) else None
        network = candidates.encoder_of(shipped, [config.comparator]) if shipped else None
        if shipped is None or network is None or module.observer is None or shipped.generator.size != config.data.crop:
            return after(name, None)
        if inverted.inverts(shipped, config.encoder):
            return after(name, None)
        shown = (x for (x,) in held_out(module, self.datamodule))
        number = candidates.unexplained(shipped, network, module.observer, shown, module.device)
        return after(name, number)

    def _write(self, path: Path, moments: Moments, errors: Mapping[str, float]) -> None:
        module, encoder = self.module, self.config.encoder
        if self.codes is None:
            examples = self.datamodule.examples(self.config.kept_codes).split(data.BATCH)
            self.codes = torch.cat([module.encoder(x.to(module.device, module.dtype)).cpu() for x in examples])
        record = {
            "encoder": encoder.name,
            "layer": encoder.layer,
            "encoder_size": encoder.input.size,
            "data": self.datamodule.name,
            "holds": module.export_weights,
            **module.begun,
            "images_seen": self._images(),
            "errors": dict(errors),
        }
        bundle.save(path, module.best(), moments, self.codes, record)


def measure(
    module: DeepsimTraining,
    datamodule: data.DataModule,
    settings: MomentsSettings,
    stopped: Callable[[], bool] | None = None,
) -> Moments | None:
    """The moments of the codes of real training images; of all images if their codes are cached.

    Each process measures a share; the merged moments are exact. None if `stopped` becomes true in one of them; where it
    is given, training's own progress bar is shown instead of one for this.
    """
    rank, world = module.trainer.global_rank, module.trainer.world_size
    moments = Moments(settings.per_element)
    if module.kept is not None:
        for codes in module.kept.batches():
            moments.update(codes)
        return moments
    batches, whole = datamodule.plain(settings.images), True
    hidden = rank > 0 or stopped is not None
    for i, (x, *_) in enumerate(track(batches, "measuring codes", transient=True, disable=hidden)):
        if stopped is not None and stopped():
            whole = False
            break
        if i % world == rank:
            moments.update(module.encoder(x.to(module.device).type(module.dtype)).cpu())
    share = moments if whole else None
    return share if world == 1 else merged(share, world)


def merged(share: Moments | None, world: int) -> Moments | None:
    """The moments of all processes' shares, the same in each; None if one has none."""
    shares: list[Any] = [None] * world
    torch.distributed.all_gather_object(shares, share)
    if any(other is None for other in shares):
        return None
    moments = shares[0]
    for other in shares[1:]:
        moments.merge(other)
    return moments


def held_out(module: DeepsimTraining, datamodule: data.DataModule) -> Iterator[tuple[Tensor]]:
    """Batches of held-out images on the module's device, one at a time: all may not fit into a GPU's memory."""
    for x, *_ in datamodule.val_dataloader():
        yield (x.to(module.device).type(module.dtype),)
