"""The table of curves."""

import csv

from dgn.loggers import CsvLog
from tests.loggers.job import job


def test_an_interrupted_csv_equals_an_uninterrupted_one(tmp_path):
    whole, resumed = CsvLog(tmp_path / "a"), CsvLog(tmp_path / "b")
    for log, steps in ((whole, [1, 2, 3]), (resumed, [1, 2])):
        log.folder.mkdir()
        for step in steps:
            log.log_metrics({"loss/pixel": 1 / step, "images": 32 * step}, step=step)
    with resumed.path.open("a") as file:
        file.write("1")  # of 10,320,…: killed while writing
    resumed.rewind(1)
    for step in (2, 3):
        resumed.log_metrics({"loss/pixel": 1 / step, "images": 32 * step}, step=step)
    assert resumed.path.read_bytes() == whole.path.read_bytes()
    rows = list(csv.DictReader(whole.path.read_text().splitlines()))
    assert rows[1] == {"iteration": "2", "images": "64", "metric": "loss/pixel", "value": "0.5"}
    CsvLog(tmp_path).rewind(1)  # nothing was logged yet


def test_csv_is_written_beside_every_other_logger(tmp_path):
    for name in ("csv", "tensorboard"):
        (tmp_path / name).mkdir()
        job(tmp_path / name, 1, 2, logger=name)
    assert (tmp_path / "csv/metrics.csv").read_bytes() == (tmp_path / "tensorboard/metrics.csv").read_bytes()
    assert {path.name for path in (tmp_path / "csv").iterdir()} == {"metrics.csv", "small.bundle.safetensors"}
