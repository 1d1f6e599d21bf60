"""Runs that are moments of a path from a real image, numbered in their names."""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torchvision.transforms.functional import to_pil_image
from torchvision.utils import make_grid

from dgn.base import images
from dgn.base.files import whole
from dgn.measures.intervals import Measure
from dgn.paper.settings import PaperSettings
from dgn.paper.table import Analysis, Point
from dgn.report import results

LOG2_RANK = re.compile(r"\w+_(\d+): recognised/(?!target/)[^/]+/log2_rank")
ACROSS, SECONDS = 5, 0.5  # pictures in a row of a frame; that a frame is shown


def along(folder: Path, settings: PaperSettings, rows: Sequence[Measure]) -> Analysis:
    """Write the runs step_00, step_05, … as the frames of `path.gif`; and the judge's mean log₂ rank by the step."""
    animate(folder)
    return Analysis([], points(rows), ("steps", "mean log₂ rank at the judge"))


def points(rows: Sequence[Measure]) -> list[Point]:
    """The judge's mean log₂ rank by the number in a run's name, in that order."""
    found = [
        Point(str(int(match[1])), float(match[1]), one.value, one.low, one.high)
        for one in rows
        if (match := LOG2_RANK.fullmatch(one.name)) and not math.isnan(one.value)
    ]
    return sorted(found, key=lambda point: point.x)


def animate(folder: Path) -> Path:
    """One frame a run, all its pictures in a grid, in the order of the runs' names; the GIF's path."""
    frames = []
    for table in sorted(folder.glob("step_*/results.csv")):
        pictures = [images.saved(table.parent / row.image) for row in results.read(table)]
        frames.append(to_pil_image(make_grid(torch.stack(pictures), nrow=ACROSS)))
    path = folder / "path.gif"
    with whole(path) as part:
        frames[0].save(part, save_all=True, append_images=frames[1:], duration=int(1000 * SECONDS), loop=0)
    return path
