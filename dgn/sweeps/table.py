"""A sweep's points as a table: settings, state and measured numbers, read from the folders."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from dgn import settings
from dgn.base.files import write_text
from dgn.report import results
from dgn.sweeps import jobs

UNSET = "default"  # what a point has that was started without a word on this setting


@dataclass
class Entry:
    """A run of a point: the point itself, or one panel of it.

    Attributes:
        point: of the sweep.
        run: folder of the run; None where the point never started.
        at: the value of every swept setting, as typed.
        rows: pictures; empty where the run is not finished, or trains.
        measured: numbers of the run as a whole, by name.
        files: what training wrote, and its last reconstructions.
    """

    point: jobs.Point
    run: Path | None
    at: dict[str, str]
    rows: list[results.Row] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)


def read(sweep: Path) -> tuple[dict[str, list[str]], list[Entry]]:
    """The swept settings with all their values in order, and the runs of the points."""
    points = jobs.read(sweep)
    typed = [dict(_plain(word).split("=", 1) for word in point.words if "=" in word) for point in points]
    keys = [key for key in dict.fromkeys(key for words in typed for key in words) if key not in settings.FREE]
    entries = []
    for point, words in zip(points, typed, strict=True):
        config = (settings.read(point.folder) if point.folder else None) or {}
        at = {key: words.get(key) or _of_config(config, key) for key in keys}
        for panel in results.panels(config) or [""]:
            run = point.folder / panel if point.folder and panel else point.folder
            entries.append(_measured(Entry(point, run, at | ({"panel": panel} if panel else {}))))
    keys = [*keys, *(["panel"] if any("panel" in entry.at for entry in entries) else [])]
    axes = {key: _in_order(entry.at.get(key, UNSET) for entry in entries) for key in keys}
    return {key: values for key, values in axes.items() if len(values) > 1}, entries


def _plain(word: str) -> str:
    """A word without what is there for Hydra alone: `+` in front, backslashes before spaces and commas."""
    return re.sub(r"\\(.)", r"\1", word.lstrip("+"))


def _of_config(config: Mapping[str, Any], key: str) -> str:
    """The value of a key that a point was not asked for by a word."""
    value = OmegaConf.select(OmegaConf.create(dict(config)), key) if "@" not in key and "/" not in key else None
    return UNSET if value is None or OmegaConf.is_config(value) else str(value)


def _in_order(values: Iterable[str]) -> list[str]:
    """Distinct values: by size where all are numbers, else as they came."""
    distinct = list(dict.fromkeys(values))
    try:
        return sorted(distinct, key=float)
    except ValueError:
        return distinct


def _measured(entry: Entry) -> Entry:
    run = entry.run
    if run is None or not run.is_dir():
        return entry
    if (run / "manifest.json").exists():
        entry.rows = results.read(run / "results.csv")
        entry.measured = results.measures(entry.rows)
    elif (run / "metrics.csv").exists():
        entry.measured = _last(run / "metrics.csv")
        entry.files = [*sorted(run.glob("*.safetensors")), *sorted((run / "grids").glob("*.png"))[-1:]]
    return entry


def _last(metrics: Path) -> dict[str, Any]:
    """The last value of every validation metric, and the images seen."""
    last: dict[str, Any] = {}
    with metrics.open(newline="") as file:
        for record in csv.DictReader(line for line in file if line.endswith("\n")):  # a stop may cut the last one short
            if record["images"]:
                last["images"] = int(float(record["images"]))
            if record["metric"].startswith("val/"):
                last[record["metric"].removeprefix("val/")] = float(record["value"])
    return last


def write_tables(sweep: Path, axes: Mapping[str, Sequence[str]], entries: Sequence[Entry]) -> None:
    """Write `points.csv`, a line a point, and where there are pictures `rows.csv`, a line a picture."""
    names = list(dict.fromkeys(name for entry in entries for name in entry.measured))
    lines = [
        _at(entry, axes) | {"state": entry.point.state, "reason": entry.point.reason, "folder": _folder(entry, sweep)}
        | {name: _short(entry.measured.get(name, "")) for name in names}
        | {"file": next((str(path.relative_to(sweep)) for path in entry.files), "")}
        for entry in entries
    ]  # fmt: skip
    write_text(sweep / "points.csv", _csv(lines))
    columns = [field.name for field in fields(results.Row)]
    swept = [key for key in axes if key not in columns]  # a swept seed is the row's own
    rows = [
        _at(entry, swept) | {"folder": _folder(entry, sweep)} | {name: _short(getattr(row, name)) for name in columns}
        for entry in entries for row in entry.rows
    ]  # fmt: skip
    if rows:
        write_text(sweep / "rows.csv", _csv(rows))


def _at(entry: Entry, axes: Iterable[str]) -> dict[str, Any]:
    return {key: entry.at.get(key, UNSET) for key in axes}


def _folder(entry: Entry, sweep: Path) -> str:
    return str(entry.run.relative_to(sweep)) if entry.run else ""


def _short(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def _csv(lines: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(lines)
    return text.getvalue()
