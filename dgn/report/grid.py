"""All of a run's pictures on one sheet, with names."""

import math
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from dgn import results
from dgn.files import whole

INCH = 0.95  # side of a picture on the sheet, inches


def write_grid(run: Path, dpi: int = 140) -> Path:
    """Write `grid.png` in a run's folder: a unit's seeds side by side under its name, near to square as a whole."""
    groups: dict[str, list[results.Row]] = {}
    for row in results.read(run / "results.csv"):
        groups.setdefault(row.unit, []).append(row)
    seeds = max(len(rows) for rows in groups.values())
    columns = max(1, min(len(groups), round(math.sqrt(len(groups) * 1.25 / seeds))))
    lines = math.ceil(len(groups) / columns)
    width, height = columns * (seeds * INCH + 0.12), lines * (INCH + 0.26)
    figure = Figure((width, height))
    FigureCanvasAgg(figure)
    for i, rows in enumerate(groups.values()):
        left, top = (i % columns) * (seeds * INCH + 0.12), (i // columns) * (INCH + 0.26)
        label = rows[0].label if len(rows[0].label) <= 15 * seeds else rows[0].label[: 15 * seeds - 1] + "…"
        figure.text((left + 0.04) / width, 1 - (top + 0.19) / height, label, fontsize=8)
        for s, row in enumerate(rows):
            box = ((left + s * INCH + 0.03) / width, 1 - (top + 0.22 + INCH) / height, (INCH - 0.05) / width,
                   (INCH - 0.05) / height)  # fmt: skip
            axes = figure.add_axes(box)
            axes.imshow(np.asarray(Image.open(run / row.image).convert("RGB")), interpolation="lanczos")
            axes.set_axis_off()
            if row.state == "dead":
                axes.text(0.5, 0.5, "dead", color="white", ha="center", va="center", transform=axes.transAxes)
    with whole(run / "grid.png") as part:
        figure.savefig(part, dpi=dpi, format="png", facecolor="white")
    return run / "grid.png"
