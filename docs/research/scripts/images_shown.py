"""The scores of finished runs of the same units beside the pictures that each unit's ascent has shown.

    python docs/research/scripts/images_shown.py RUN [RUN …]

A line a run, as a row of a table: pictures shown, mean score with its 95 % interval (bootstrap over units), how much
lower than the first run's (paired), and how many pictures the target names as their unit.
"""

import sys
from pathlib import Path

from dgn.measures.finished import Finished
from dgn.measures.intervals import Measure, mean_over_classes, paired


def told(measure: Measure) -> str:
    """A number with its interval."""
    return f"{measure.value:.1f} [{measure.low:.1f}, {measure.high:.1f}]".replace("-", "−")


def main(folders: list[str]) -> None:
    """See the module."""
    runs = [Finished.read(Path(folder)) for folder in folders]
    scores = [[row.score for row in run.rows] for run in runs]
    for run, own in zip(runs, scores, strict=True):
        ascent = run.config["ascent"]
        shown = ascent["steps"] * ascent["optimiser"].get("population", 1)
        mean = mean_over_classes("score", own, run.units)
        apart = "" if run is runs[0] else told(paired("less", own, scores[0], run.units, runs[0].units))
        named = sum(row.rank == 1 for row in run.rows)
        print(f"| {run.name} | {shown:,} | {told(mean)} | {apart} | {named} of {len(run.rows)} |")


if __name__ == "__main__":
    main(sys.argv[1:])
