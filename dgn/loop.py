"""Lightning's loop as both commands run it: bare, and silent but for what is new to the reader."""

import logging
import signal
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException

from dgn import precision
from dgn.errors import Stopped

KNOWN = (  # what Lightning says of every run here, and what is meant so
    "You passed in a `val_dataloader` but have no `validation_step`",
    "`isinstance\\(treespec, LeafSpec\\)` is deprecated",
    "Found .* module\\(s\\) in eval mode",
    "The '.*' does not have many workers",
    "`training_step` returned `None`",
    "The number of training batches",
)


def trainer(
    settings: Mapping[str, Any], callbacks: Sequence[pl.Callback], loggers: Sequence[Any], **more: Any
) -> pl.Trainer:
    """A Trainer with the config's `settings`, where `precision: auto` is decided for the device.

    Checkpoints, bars and summaries are our own.
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    for text in KNOWN:
        warnings.filterwarnings("ignore", text)
    settings = dict(settings)
    kind = device(settings["accelerator"])
    if settings["precision"] == "auto":
        settings["precision"] = precision.best(kind)
    if settings.get("sync_batchnorm") == "auto":
        settings["sync_batchnorm"] = kind == "cuda"  # torch has none for the CPU
    return pl.Trainer(
        **settings,
        callbacks=list(callbacks),
        logger=list(loggers),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **more,
    )


def device(accelerator: str) -> str:
    """What an accelerator by Lightning's name means here: "cuda" or "cpu"."""
    gpu = accelerator in {"gpu", "cuda"} or (accelerator == "auto" and torch.cuda.is_available())
    return "cuda" if gpu else "cpu"


def fit(trainer: pl.Trainer, module: pl.LightningModule, **more: Any) -> None:
    """`trainer.fit`, but a run that a signal ended says so: Lightning leaves with 0 after SIGTERM, 1 after Ctrl-C."""
    try:
        trainer.fit(module, **more)
    except SIGTERMException:
        raise Stopped(signal.SIGTERM, "what is finished is kept") from None
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise Stopped(signal.SIGINT, "what is finished is kept") from None
        raise
