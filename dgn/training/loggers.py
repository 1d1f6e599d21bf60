"""Our own log: one CSV that survives stops, whatever else observes the run."""

import csv
from pathlib import Path

from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only


class CsvLog(Logger):
    """Appends `iteration, images, metric, value` to `metrics.csv`: one row a value, so any set of curves fits.

    Lightning's CSVLogger deletes what a resumed run finds.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.path = Path(folder) / "metrics.csv"

    name = "csv"
    version = ""

    @property
    @rank_zero_experiment
    def experiment(self) -> Path:
        """The file that is written."""
        return self.path

    @rank_zero_only
    def log_hyperparams(self, params: object, *args: object, **kwargs: object) -> None:
        """The config has a file of its own."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        new = not self.path.exists()
        seen = metrics.get("images", "")
        with self.path.open("a", newline="") as file:
            rows = csv.writer(file)
            if new:
                rows.writerow(["iteration", "images", "metric", "value"])
            rows.writerows([step, seen, name, repr(float(v))] for name, v in metrics.items() if name != "images")
