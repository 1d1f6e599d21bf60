"""The page of a sweep: pictures with sliders over the swept settings, two settings side by side, a table of points."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dgn.base.files import write_text
from dgn.report import method, results
from dgn.report.page import template
from dgn.report.pictures import WHOLE, inline
from dgn.report.private import names_only
from dgn.sweeps import table
from dgn.sweeps.merge import merge

WITHIN = ("units", "units_file", "seed", "seeds", "shard")  # settings that say which rows there are, not how they look
SHOWN = {  # a run's numbers that come first in the table, under which name and times what
    "target_top1": ("target top-1, %", 1), "judge_top1": ("judge top-1, %", 1), "judge_top5": ("judge top-5, %", 1),
    "score": ("mean score", 1), "relative": ("× the best real", 1), "share_at_bound": ("at bound, %", 100),
}  # fmt: skip


def write_sweep(sweep: Path) -> tuple[str, bool]:
    """Write a sweep's tables and page from its folders; what to tell the user, and whether all points are finished.

    The points of a sweep over shards alone are merged into the one run that they are.
    """
    axes, entries = table.read(sweep)
    current = {entry.point: None for entry in entries if entry.point.current}
    left = [point for point in current if point.state != "finished"]
    lines = [f"sweep: {len(current) - len(left)} of {results.count(len(current), 'point')} finished"]
    lines += _unfinished(left)
    if _one_run(axes) and not left:
        page = merge([point.folder for point in current if point.folder], sweep)
    elif not any(entry.rows or entry.files for entry in entries):
        return "\n".join(lines), not left  # a page would be empty
    else:
        table.write_tables(sweep, axes, entries)
        page = sweep / "index.html"
        data = page_data(sweep, axes, entries)
        shown = template("sweep.html.j2").render(
            title=names_only(_title(sweep, axes)), how=names_only(_how(entries)),
            data=names_only(data) | {"pictures": data["pictures"]},
        )  # fmt: skip
        write_text(page, shown)
    return "\n".join([*lines, f"page: {page.resolve()}"]), not left


def _one_run(axes: Mapping[str, Sequence[str]]) -> bool:
    """Whether the points are all shards of one run and nothing else."""
    shards = axes.get("shard", ())
    every = bool(shards) and all(one.endswith(f"/{len(shards)}") for one in shards)
    return every and axes.keys() <= {"shard", "panel"}


def _title(sweep: Path, axes: Mapping[str, Sequence[str]]) -> str:
    """What was swept, and the folder's name."""
    return f"Sweep of {' and '.join(axes)} ({sweep.name})" if axes else f"Sweep {sweep.name}"


def _how(entries: Sequence[table.Entry]) -> str:
    """How the pictures were made, where the points have any: what all their manifests say alike."""
    runs = [entry.run for entry in entries if entry.run and entry.rows]
    return method.shared([results.about(run).get("method") or {} for run in runs]) if runs else ""


def _unfinished(points: Sequence[Any]) -> list[str]:
    """The points that are not finished, a line for all that have the same reason."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for point in points:
        by_reason.setdefault((point.state, point.reason), []).append(_name(point))
    return [f"  {state}: {', '.join(names)}{f' ({reason})' if reason else ''}"
            for (state, reason), names in by_reason.items()]  # fmt: skip


def _name(point: Any) -> str:
    return point.folder.name if point.folder else " ".join(point.words)


def page_data(sweep: Path, axes: Mapping[str, Sequence[str]], entries: Sequence[table.Entry]) -> dict[str, Any]:
    """What the page's script shows.

    `axes` are the settings under sliders; `cells` has for each combination of their values the pictures by unit and
    seed, as [number of the picture, score, probability, rank, dead], and what to say where there are none.
    A number that is not finite is None: JSON has no NaN.
    """
    sliders = {key: values for key, values in axes.items() if key not in WITHIN}
    whole = sum(len(entry.rows) for entry in entries) <= WHOLE
    pictures: list[str] = []
    units: dict[str, dict[str, None]] = {}  # with its labels: a number is another class of another target
    seeds: dict[int, None] = {}
    cells: dict[str, dict[str, Any]] = {}
    by_point: dict[str, list[results.Row]] = {}
    for entry in entries:
        at = _place(entry, sliders)
        cell = cells.setdefault(at, {"rows": {}, "said": []})
        by_point.setdefault(at, []).extend(entry.rows)
        for row in entry.rows:
            units.setdefault(row.unit, {})[row.label] = None
            seeds[row.seed] = None
            dead = int(row.state == "dead")
            figures = [_finite(row.score), _finite(row.probability), row.rank]
            cell["rows"][f"{row.unit} {row.seed}"] = [len(pictures), *figures, dead]
            pictures.append(inline(entry.run / row.image, whole))  # type: ignore[operator]
        for path in entry.files:
            if path.suffix == ".png":
                units["reconstructions"] = {"held-out images, each next to its reconstruction": None}
                seeds[0] = None
                cell["rows"]["reconstructions 0"] = [len(pictures), None, None, None, 0]
                pictures.append(inline(path, True))
        if entry.point.state != "finished":
            reason = f": {entry.point.reason}" if entry.point.reason else ""
            cell["said"].append(f"{entry.point.state}{reason}")
    for at, rows in by_point.items():
        cells[at]["said"] = list(dict.fromkeys([results.summary(rows), *cells[at]["said"]]))
    return {
        "axes": [{"name": key, "values": list(values), "numbers": _numbers(values)} for key, values in sliders.items()],
        "units": [(unit, " / ".join(labels)) for unit, labels in units.items()],
        "seeds": sorted(seeds),
        "cells": cells,
        "pictures": pictures,
        "points": _points(sweep, axes, sliders, entries),
    }


def _place(entry: table.Entry, sliders: Mapping[str, Sequence[str]]) -> str:
    """Where an entry stands on each axis, as the page looks it up: "0,2"."""
    return ",".join(str(values.index(entry.at.get(key, table.UNSET))) for key, values in sliders.items())


def _numbers(values: Sequence[str]) -> bool:
    try:
        return bool([float(value) for value in values])
    except ValueError:
        return False


def _points(
    sweep: Path, axes: Mapping[str, Sequence[str]], sliders: Mapping[str, Sequence[str]], entries: Sequence[table.Entry]
) -> dict[str, Any]:
    """The table of the points: its columns, and a line an entry with its place on the axes."""
    measured = dict.fromkeys(name for entry in entries for name in entry.measured)
    names = [*(name for name in SHOWN if name in measured), *(name for name in measured if name not in SHOWN)]
    lines = []
    for entry in entries:
        values = [entry.at.get(key, table.UNSET) for key in axes]
        numbers = [_scaled(entry.measured.get(name), name) for name in names]
        where = str(entry.run.relative_to(sweep)) if entry.run else ""
        page = f"{entry.point.folder.name}/index.html" if entry.point.folder else ""  # one for all panels
        files = [str(path.relative_to(sweep)) for path in entry.files if path.suffix != ".png"]
        said = entry.point.reason or ", ".join(files) or where
        lines.append({"at": _place(entry, sliders), "cells": [*values, entry.point.state, *numbers, said],
                      "link": page if entry.rows else ""})  # fmt: skip
    shown = [SHOWN.get(name, (name, 1))[0] for name in names]
    return {"columns": [*axes, "state", *shown, "folder, file or reason"], "lines": lines}


def _scaled(value: float | None, name: str) -> float | None:
    number = _finite(value)
    return None if number is None else number * SHOWN.get(name, (name, 1))[1]


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
