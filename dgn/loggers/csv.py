"""Metrics as a table in the run's folder."""

import csv
from collections.abc import Mapping
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_only

from dgn.base.files import whole
from dgn.loggers.log import Log


class CsvLog(Log):
    """Appends `iteration, images, metric, value` to `metrics.csv`: one row a value, so any set of curves fits.

    Lightning's CSVLogger deletes what a resumed run finds.
    """

    name = "csv"

    def __init__(self, folder: Path | str) -> None:
        super().__init__(folder)
        self.path = self.folder / "metrics.csv"

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        seen = metrics["images"]
        with self.path.open("a", newline="") as file:
            rows = csv.writer(file)
            if file.tell() == 0:
                rows.writerow(["iteration", "images", "metric", "value"])
            rows.writerows([step, seen, name, repr(float(v))] for name, v in metrics.items() if name != "images")

    @rank_zero_only
    def rewind(self, iteration: int) -> None:
        """Drop later rows and a truncated last one; the file is rewritten atomically."""
        if not self.path.exists():
            return
        with self.path.open(newline="") as file:
            lines = [line for line in file if line.endswith("\n")]
        with whole(self.path) as part, part.open("w", newline="") as file:
            file.writelines(lines[:1] + [line for line in lines[1:] if int(line.partition(",")[0]) <= iteration])
