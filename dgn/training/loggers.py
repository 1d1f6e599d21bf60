"""Our own log: one CSV that survives stops, whatever else observes the run."""

import csv
from pathlib import Path

from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only

from dgn.files import write_text


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

    @rank_zero_only
    def rewind(self, iteration: int) -> None:
        """Drop what was logged after `iteration`."""
        if self.path.exists():
            head, *rows = self.path.read_text().splitlines(keepends=True)
            write_text(self.path, head + "".join(row for row in rows if int(row.split(",")[0]) <= iteration))

    def picture(self, name: str, image: object, step: int, seen: int) -> None:
        """The pictures are in the run's folder."""

    def artifact(self, path: Path, kind: str) -> None:
        """Likewise."""
