"""The interface of all loggers; each uses what it needs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger
from torch import Tensor


class Log(Logger):
    """A Lightning logger that also receives pictures and finished files, from the first process of a run only.

    `log_metrics` receives `images`, the number of images seen, as the x-axis of all curves. Methods do nothing by
    default.

    Args:
        folder: of the run, which exists.
    """

    version = ""

    def __init__(self, folder: Path | str) -> None:
        super().__init__()
        self.folder = Path(folder)

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """The run's config as plain data."""

    def picture(self, name: str, image: Tensor, step: int, seen: int) -> None:
        """An image (C, H, W) in [0, 1], drawn after `step` iterations and `seen` images."""

    def artifact(self, path: Path, kind: str) -> None:
        """A finished file and what it is, such as "bundle"."""

    def uses(self, path: Path, kind: str) -> None:
        """A file that the job works with, such as the "bundle" of a synthesis."""

    def table(self, name: str, folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows of plain values; what stands under `image` is the path of a picture in `folder`."""

    def measures(self, values: Mapping[str, float]) -> None:
        """The figures by which jobs are compared."""

    def rewind(self, iteration: int) -> None:
        """Forget what came after `iteration`: the run goes on from there."""

    def finalize(self, status: str) -> None:
        """End the log; a second time does nothing.

        Lightning says "success" after every fit, when the bundle is still to come: that alone ends nothing.
        `observe` says "finished" when the job is done; any other word is a failure.
        """
