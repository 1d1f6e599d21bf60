"""Lightning's Trainer as both commands use it: no checkpoints, bars or summaries of its own."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.layer_sync import TorchSyncBatchNorm
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import nn

from dgn.base import precision
from dgn.base.errors import UserError

# what Lightning raises for impossible trainer settings; Slurm's variables alone lead to three of these
REFUSED = (MisconfigurationException, TypeError, ValueError, RuntimeError, KeyError, ImportError)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class TrainedNorms(TorchSyncBatchNorm):
    """Synchronises the trained batch norms over all devices; Lightning's own plugin converts every batch norm.

    Frozen norms keep their statistics anyway, and a subclass with more than a norm, such as timm's with an activation,
    would lose the rest.
    """

    def apply(self, model: nn.Module) -> nn.Module:
        """Replace, in place, every plain batch norm that is in training mode."""
        made: dict[nn.Module, nn.Module] = {}
        for name, module in list(model.named_modules(remove_duplicate=False)):
            if type(module) in NORMS and module.training:
                if module not in made:
                    made[module] = nn.SyncBatchNorm.convert_sync_batchnorm(module)
                model.set_submodule(name, made[module])
        return model


def trainer(
    settings: Mapping[str, Any], callbacks: Sequence[pl.Callback], loggers: Sequence[Any], **more: Any
) -> pl.Trainer:
    """A Trainer with the config's `settings`; checkpoints, bars and summaries are ours.

    UserError if Lightning refuses these settings on this machine.
    """
    settings = decided(settings)
    if settings.get("sync_batchnorm"):
        settings["plugins"] = [*(settings.get("plugins") or []), TrainedNorms()]
    try:
        return pl.Trainer(
            **settings,
            callbacks=list(callbacks),
            logger=list(loggers),
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            **more,
        )
    except REFUSED as error:
        raise UserError(f"Lightning refuses these trainer settings ({' '.join(str(error).split())}): set trainer=cpu, "
                        "gpu or ddp; trainer.KEY sets an argument of Lightning's Trainer") from error  # fmt: skip


@contextmanager
def on_device(device: torch.device, *modules: nn.Module) -> Iterator[None]:
    """Move the modules to `device`, and back to the CPU afterwards, where Lightning leaves them too."""
    for module in modules:
        module.to(device)
    try:
        yield
    finally:
        for module in modules:
            module.cpu()


def decided(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The trainer's settings with every "auto" resolved for the device; a run's config keeps these.

    UserError for pure 16-bit precision.
    """
    settings, kind = dict(settings), device(settings["accelerator"])
    settings["precision"] = str(settings["precision"])  # 32 is a number to Hydra and a name to Lightning
    if settings["precision"] == "auto":
        settings["precision"] = precision.best(kind)
    if settings["precision"] in {"bf16-true", "16-true"}:
        raise UserError(f"trainer.precision={settings['precision']} would store codes and images in 16 bits: set "
                        "trainer.precision=bf16-mixed or 32-true")  # fmt: skip
    if settings.get("sync_batchnorm") == "auto":
        settings["sync_batchnorm"] = kind == "cuda"  # torch has none for the CPU
    return settings


def device(accelerator: str) -> str:
    """The device type of a Lightning accelerator on this machine: "cuda" or "cpu"."""
    gpu = accelerator in {"gpu", "cuda"} or (accelerator == "auto" and torch.cuda.is_available())
    return "cuda" if gpu else "cpu"
