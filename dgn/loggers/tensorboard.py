"""Curves, pictures and the config for TensorBoard."""

import json
from collections.abc import Mapping
from typing import Any

from pytorch_lightning.loggers.logger import rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from dgn.base import images
from dgn.base.errors import UserError
from dgn.loggers.log import Log


class TensorBoardLog(Log):
    """Event files in `tensorboard/`, with the number of images seen as the x-axis.

    After resuming, curves between the checkpoint and the interruption appear twice.
    """

    name = "tensorboard"
    writer: Any = None

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The SummaryWriter, opened when it is first asked for; UserError if the package is missing."""
        if self.writer is None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                raise UserError("logger=tensorboard needs a package: install it by pip install tensorboard") from None
            self.writer = SummaryWriter(str(self.folder / "tensorboard"))
        return self.writer

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        self.experiment.add_text("config", f"```\n{json.dumps(params, indent=2)}\n```")

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        for name, value in {**metrics, "iteration": step}.items():
            if name != "images":
                self.experiment.add_scalar(name, value, int(metrics["images"]))

    @rank_zero_only
    def picture(self, name: str, image: Tensor, step: int, seen: int) -> None:
        self.experiment.add_image(name, images.shown(image), seen, dataformats="HWC")

    @rank_zero_only
    def finalize(self, status: str) -> None:
        if self.writer is not None and status != "success":
            self.writer.close()
            self.writer = None
