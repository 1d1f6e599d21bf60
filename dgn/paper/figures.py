"""A claim's figure: pictures of its runs at the left, bars or the curve of its table at the right."""

import math
import textwrap
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from dgn.base import images
from dgn.base.errors import UserError
from dgn.base.files import whole
from dgn.base.folders import EXPERIMENTS
from dgn.measures.intervals import Measure
from dgn.paper.table import Analysis, Point
from dgn.report import results

ACROSS, DOWN = 8, 18  # pictures that a figure has at most
LETTERS, LINES = 13, 2  # of a unit's name above its pictures
AXES = {
    "log2_rank": "mean log₂ rank at the judge (lower: recognised more)",
    "kid": "KID to real images (lower: nearer)",
}
COLORS = ("#35567c", "#c2703d", "#5d8a4b", "#8a5d8a", "#777777")  # of the series of a curve


def write(
    path: Path,
    folder: Path,
    rows: Sequence[Measure],
    shown: str | None,
    found: Analysis,
    unpictured: Collection[str] = (),
) -> bool:
    """Write the figure of the runs in `folder` as JPEG, atomically; False where there is nothing to show."""
    order = _order(folder)
    sheet, bars = _runs(folder, order, unpictured), _bars(rows, shown, order)
    if not sheet and not bars and not found.points:
        return False
    figure, axes = _canvas(len(sheet), bool(bars or found.points))
    names = {tuple(row.label for row, _ in pictures) for pictures in sheet.values()}
    for place, (name, pictures) in enumerate(sheet.items()):
        for column, (row, file) in enumerate(pictures):
            if place == 0 and len(names) == 1:  # every row has the same units
                where = ((column + 0.48) / ACROSS, 1 + 0.08 / len(sheet))
                axes["sheet"].text(*where, _short(row.label), ha="center", va="bottom", fontsize=6.5)
            box = axes["sheet"].inset_axes(
                (column / ACROSS, 1 - (place + 1) / len(sheet), 0.96 / ACROSS, 0.94 / len(sheet))
            )
            box.imshow(images.saved(file).permute(1, 2, 0).numpy(), interpolation="nearest")
            box.set_axis_off()
        axes["sheet"].text(-0.01, 1 - (place + 0.5) / len(sheet), name, ha="right", va="center", fontsize=8)
    if found.points:
        _curve(axes["numbers"], found.points, found.axes)
    elif bars:
        _bar_chart(axes["numbers"], bars, str(shown))
    with whole(path) as part:
        figure.savefig(part, dpi=110, bbox_inches="tight", pil_kwargs={"quality": 88})
    return True


def _canvas(runs: int, numbers: bool) -> tuple[Any, Any]:
    """A figure with the axes "sheet" and "numbers", as far as they are wanted; drawn without a screen."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("the figures need matplotlib: install it by pip install 'dgn[paper]'") from None
    wide = (6.4 if runs else 0) + (4.2 if numbers else 0)
    figure = Figure(figsize=(wide, max(0.8 * runs, 2.8 if numbers else 0)))
    parts = [name for name, there in (("sheet", runs), ("numbers", numbers)) if there]
    ratios = [{"sheet": 6.4, "numbers": 3.4}[name] for name in parts]
    mosaic: Any = [parts]
    axes = figure.subplot_mosaic(mosaic, width_ratios=ratios, gridspec_kw={"wspace": 0.35})
    if runs:
        axes["sheet"].set_axis_off()
    return figure, axes


def _order(folder: Path) -> dict[str, int]:
    """The place of each run in its experiment, by the name; none of an experiment that does not stand there."""
    path = EXPERIMENTS / "paper" / f"{folder.name}.yaml"
    panels = yaml.safe_load(path.read_text(encoding="utf-8"))["panels"] if path.exists() else {}
    return {name: place for place, name in enumerate(panels)}


def _short(name: str) -> str:
    """A unit's name in few short lines."""
    lines = textwrap.wrap(name, LETTERS) or [name]
    return "\n".join(line[:LETTERS] for line in lines[:LINES])


def _runs(
    folder: Path, order: Mapping[str, int], unpictured: Collection[str]
) -> dict[str, list[tuple[results.Row, Path]]]:
    """By the name of a run, the first picture of each of its units; at most `DOWN` runs, evenly chosen."""
    runs = sorted(folder.glob("*/results.csv"), key=lambda path: (order.get(path.parent.name, 0), path))
    runs = runs or [path for path in [folder / "results.csv"] if path.exists()]
    runs = [path for path in runs if path.parent.name not in unpictured]
    chosen = runs if len(runs) <= DOWN else [runs[i * (len(runs) - 1) // (DOWN - 1)] for i in range(DOWN)]
    found = {}
    for path in chosen:
        rows = {row.unit: row for row in reversed(results.read(path))}
        first = list(reversed(list(rows.values())))[:ACROSS]
        found[path.parent.name] = [(row, path.parent / row.image) for row in first]
    return found


def _bars(rows: Sequence[Measure], shown: str | None, order: Mapping[str, int]) -> list[tuple[str, Measure]]:
    """What `shown` has of each run, by its name, in the order of the runs; differences are no runs."""
    pairs = sorted(((one.name.partition(": "), one) for one in rows), key=lambda pair: order.get(pair[0][0], 0))
    return [(of, one) for (of, _, name), one in pairs if name == shown and " − " not in of and one.value == one.value]


def _bar_chart(axis: Any, bars: Sequence[tuple[str, Measure]], name: str) -> None:
    places = range(len(bars))
    values = [one.value for _, one in bars]
    axis.barh(places, values, color="#8fa8c8", xerr=_errors([(one.value, one.low, one.high) for _, one in bars]))
    axis.set_yticks(places, [of for of, _ in bars], fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel(next((label for key, label in AXES.items() if key in name), name), fontsize=8)


def _curve(axis: Any, points: Sequence[Point], axes: tuple[str, str]) -> None:
    series: dict[str, list[Point]] = {}
    for one in points:
        series.setdefault(one.series, []).append(one)
    for color, (name, those) in zip(COLORS, series.items(), strict=False):
        bounds = _errors([(one.y, one.low, one.high) for one in those])
        axis.errorbar([one.x for one in those], [one.y for one in those], yerr=bounds, fmt="o", ms=4, color=color,
                      label=name, ls="-" if name else "")  # fmt: skip
    if any(series):
        axis.legend(fontsize=7)
    elif len(points) <= 12:  # a line's points are told by their place
        for one in points:
            axis.annotate(one.name, (one.x, one.y), xytext=(4, 4), textcoords="offset points", fontsize=7)
    axis.set_xlabel(axes[0], fontsize=8)
    axis.set_ylabel(axes[1], fontsize=8)


def _errors(bounds: Sequence[tuple[float, float, float]]) -> list[list[float]]:
    """How far the bounds are below and above the values; 0 where there are none."""
    below = [0.0 if math.isnan(low) else max(value - low, 0) for value, low, _ in bounds]
    above = [0.0 if math.isnan(high) else max(high - value, 0) for value, _, high in bounds]
    return [below, above]
