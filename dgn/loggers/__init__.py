"""Loggers of a run: always `metrics.csv`, plus the one that `logger` chooses."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.utils import get_class

from dgn.base.instantiate import instantiate
from dgn.base.ranks import first
from dgn.loggers.csv import CsvLog
from dgn.loggers.log import Log
from dgn.loggers.tensorboard import TensorBoardLog
from dgn.loggers.wandb import WandbLog
from dgn.settings.command import CommandSettings

__all__ = ["CsvLog", "Log", "TensorBoardLog", "WandbLog", "keeps_figures", "observe"]


def keeps_figures(logger: Mapping[str, Any]) -> bool:
    """Whether the logger of these settings keeps the figures by which jobs are compared."""
    kind = get_class(logger["_target_"])
    return getattr(kind, "measures", Log.measures) is not Log.measures


@contextmanager
def observe(config: CommandSettings, folder: Path) -> Iterator[list[Log]]:
    """The logs of one job, started with its config and always closed. Only the first process has any."""
    if not first():
        yield []
        return
    always, chosen = CsvLog(folder), instantiate(config.logger, folder=folder)
    logs = [always] if isinstance(chosen, CsvLog) else [always, chosen]
    status = "failed"
    try:
        for log in logs:
            log.log_hyperparams(config.plain())
        yield logs
        status = "finished"
    finally:
        for log in logs:
            log.finalize(status)
