"""Time to a usable prior: G for `caffenet64`'s fc6 from random weights, by earlier settings and by today's."""

import csv
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dgn.synthesis.api import synthesize
from dgn.training.train import train

KEYS = {"val/unexplained/fc6": "code", "val/unexplained/observer": "observer"}


def trained(words: Sequence[str], climb: Sequence[str], folder: str | None) -> dict[str, Any]:
    """Train G with these words, or go on where a run in `folder` was stopped; then make pictures with `climb`.

    Without a folder nothing is kept.

    Returns:
        curve: of every evaluation, see `curve`.
        ranks, judged: of every picture, its class's place at the target and at the judge.
    """
    if folder is None:
        with TemporaryDirectory() as scratch:
            return trained(words, climb, scratch)
    output = Path(folder)
    bundle = train("init=null", *words, output=output / "prior", resume=True)
    words = [*climb, f"bundle={bundle}"]
    rows = synthesize("caffenet64", None, *words, output=output / "pictures", resume=True, quiet=True).table()
    return {
        "curve": curve(output / "prior" / "metrics.csv"),
        "ranks": [row["rank"] for row in rows],
        "judged": [row["judge_rank"] for row in rows],
    }


def curve(metrics: Path) -> list[dict[str, float]]:
    """Of every evaluation in a run's metrics: images, seconds of training until then, and the errors of `KEYS`.

    The seconds are those of iterations, without evaluations and checkpoints: a stop and a resumption do not count.
    """
    found, seconds, before = [], 0.0, 0
    with metrics.open() as file:
        for images, rows in groupby(csv.DictReader(file), key=lambda row: int(row["images"])):
            values = {row["metric"]: float(row["value"]) for row in rows}
            if "images_per_second" in values:
                seconds += (images - before) / values["images_per_second"]
                before = images
            if KEYS.keys() <= values.keys():
                errors = {name: values[key] for key, name in KEYS.items()}
                found.append({"images": images, "seconds": seconds, **errors})
    return found
