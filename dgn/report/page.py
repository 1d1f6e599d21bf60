"""One self-contained page from run folders: one card per unit, one strip per run, one picture per seed."""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, Template, select_autoescape
from safetensors import safe_open

from dgn import settings
from dgn.base.files import write_text
from dgn.report import measured, method, private, results
from dgn.report.pictures import WHOLE, inline
from dgn.report.private import names_only

TEMPLATES = Path(__file__).parent / "templates"
TITLE = "Images that maximise these units"


@dataclass
class Picture:
    """A synthesized image, or a real one (then only `data`, `score` and `name`); `link` leads to the file, `real` are
    the real images of its facet."""

    data: str
    score: float
    row: results.Row | None = None
    curve: str = ""
    name: str = ""
    link: str = ""
    real: list["Picture"] = field(default_factory=list)


@dataclass
class Strip:
    """A unit's pictures from one run; `name` says how they were made."""

    name: str
    pictures: list[Picture]


@dataclass
class Card:
    """All that is known of one unit of one target."""

    unit: str
    label: str
    strips: list[Strip] = field(default_factory=list)
    real: list[Picture] = field(default_factory=list)

    @property
    def minimised(self) -> bool:
        """Whether its pictures were made to fire it as little as possible."""
        return self.unit.startswith("-")

    @property
    def best(self) -> results.Row | None:
        """The first strip's row with the highest score, what the card is sorted by; None where every row is dead."""
        rows = [
            p.row for p in self.strips[0].pictures if p.row and p.row.state != "dead" and math.isfinite(p.row.score)
        ]
        return max(rows, key=lambda row: row.score, default=None)

    @property
    def width(self) -> int:
        """Pictures that stand beside one another; real images want the room of two."""
        side_by_side = sum(len(strip.pictures) for strip in self.strips)
        return max(2, side_by_side) if self.real else side_by_side


@dataclass
class Section:
    """One target, with its cards."""

    target: str
    layer: str
    cards: dict[str, Card] = field(default_factory=dict)

    @property
    def even(self) -> bool:
        """Whether all cards are of one width, so that the wide ones fit in twos."""
        return len({card.width for card in self.cards.values()}) == 1


@dataclass
class Run:
    """A run's folder, read."""

    folder: Path
    about: dict[str, Any]
    rows: list[results.Row]
    real: list[dict[str, str]]

    @classmethod
    def read(cls, folder: Path) -> "Run":
        """Read a run's folder; UserError if it is not the folder of a finished run."""
        return cls(folder, results.about(folder), results.read(folder / "results.csv"), results.read_real(folder))


def write_page(folders: Sequence[Path], output: Path, title: str | None = None) -> Path:
    """Write `output/index.html` from run folders, everything inside it; UserError if a run has no results.

    Of a run with panels its panels are shown. Runs with the same target share its section, and units that they share
    stand in one card, side by side. Without `title` the page has that of the one run, or `TITLE`.
    """
    configs = {folder: settings.read(folder) or {} for folder in folders}
    if title is None and len(folders) == 1:
        title = configs[folders[0]].get("title")
    runs = [Run.read(folder / panel) for folder in folders for panel in results.panels(configs[folder]) or [""]]
    whole = sum(len(run.rows) + len(run.real) for run in runs) <= WHOLE
    names = _names(runs)
    sections: dict[tuple[str, str], Section] = {}
    for run, name in zip(runs, names, strict=True):
        target = run.about["target"]
        section = sections.setdefault((target["name"], target["layer"]), Section(target["name"], target["layer"]))
        _add(section, run, name, whole, output)
    methods = [run.about.get("method") or {} for run in runs]
    # strips in the sections of two targets may have one name, columns of one table may not
    columns = names if len(set(names)) == len(names) else [_apart(run.folder, runs) for run in runs]
    measures = {column: measured.read(run.folder) for run, column in zip(runs, columns, strict=True)}
    rows = [row for run in runs for row in run.rows]
    page = template("page.html.j2").render(
        title=names_only(title or TITLE), sections=list(sections.values()), summary=_summary(sections), whole=whole,
        how=method.sentences(list(zip(names, methods, strict=True))), score=method.score(methods),
        settings=[_settings(run) for run in runs],
        ranked=any(row.probability is not None for row in rows),
        judges=sorted({one["judge"] for one in methods if one.get("judge")}),
        judged=any(row.judge_rank is not None for row in rows),
        related=any(row.relative is not None for row in rows),
        minimised=any(row.unit.startswith("-") for row in rows),
        real=method.real(methods), unrelated=method.unrelated(methods),
        measures=measured.table(measures | (measured.compared(output) if len(runs) > 1 else {})),
    )  # fmt: skip
    write_text(output / "index.html", page)
    return output / "index.html"


def template(name: str) -> Template:
    """A template beside this file; what it shows is escaped."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(default=True))
    environment.filters["number"] = _number
    return environment.get_template(name)


def _number(value: float, digits: int) -> str:
    """A number with so many decimals; a score near 0, such as the distance from a level, has one more."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.{2 if digits == 1 and abs(value) < 1 else digits}f}"


def _settings(run: Run) -> tuple[str, str, str]:
    """A run's name, settings and manifest, as the page shows them."""
    path = run.folder / "config.yaml"
    config = private.settings(path.read_text(encoding="utf-8")) if path.exists() else ""
    about = {key: value for key, value in run.about.items() if key != "files"}
    return run.folder.name, config, json.dumps(names_only(about), indent=1)


def _names(runs: Sequence[Run]) -> list[str]:
    """What a strip of each run is called: its generator, or its folder where that does not tell it from another."""
    made = [(run.about["target"], run.about["generator"]["name"]) for run in runs]
    short = [run.folder.name for run in runs]
    names = []
    for run, (target, generator) in zip(runs, made, strict=True):
        if made.count((target, generator)) == 1:
            names.append("without a generator: pixels" if generator == "pixels" else f"through {generator}")
        else:
            alone = short.count(run.folder.name) == 1
            names.append(run.folder.name.replace("_", " ") if alone else _apart(run.folder, runs))
    return names


def _apart(folder: Path, runs: Sequence[Run]) -> str:
    """A folder by the part of its path in which it differs from the others."""
    common = os.path.commonpath([run.folder.absolute() for run in runs])
    return Path(os.path.relpath(folder.absolute(), common)).as_posix()


def _add(section: Section, run: Run, name: str, whole: bool, output: Path) -> None:
    with safe_open(run.folder / "codes.safetensors", "np") as file:
        curves = file.get_tensor("curves")
    strips: dict[str, Strip] = {}
    for row, curve in zip(run.rows, curves, strict=True):
        card = section.cards.setdefault(row.unit, Card(names_only(row.unit), names_only(row.label)))
        if row.unit not in strips:
            strips[row.unit] = Strip(name, [])
            card.strips.append(strips[row.unit])
        path = run.folder / row.image
        link = "" if whole else quote(os.path.relpath(path, output))
        points = _path(curve.tolist(), points=50 if whole else 20)
        strips[row.unit].pictures.append(Picture(inline(path, whole), row.score, row, points, link=link))
    facets: dict[str, dict[int, list[Picture]]] = {}
    known = {unit for unit, card in section.cards.items() if card.real}  # another run of the same units has them
    for record in run.real:
        if record["unit"] in known and not record.get("facet"):
            continue
        picture = Picture(
            inline(run.folder / record["image"], whole=False), float(record["score"]), name=names_only(record["name"])
        )
        if record.get("facet"):
            facets.setdefault(record["unit"], {}).setdefault(int(record["facet"]), []).append(picture)
        else:
            section.cards[record["unit"]].real.append(picture)
    for unit, real in facets.items():
        numbers = sorted(real)
        for shown in strips[unit].pictures if unit in strips else []:
            shown.real = real[numbers[shown.row.seed % len(numbers)]] if shown.row else []


def _path(curve: Sequence[float], width: int = 100, height: int = 22, points: int = 50) -> str:
    """The points of an SVG polyline: the score over the steps, scaled to the box."""
    kept = [(i, v) for i, v in enumerate(curve) if math.isfinite(v)]
    kept = kept[:: max(1, len(kept) // points)]
    if len(kept) < 2:
        return ""
    low, high = min(v for _, v in kept), max(v for _, v in kept)
    span = (high - low) or 1.0
    steps = max(1, len(curve) - 1)
    return " ".join(f"{width * i / steps:.1f},{height - (height - 2) * (v - low) / span - 1:.1f}" for i, v in kept)


def _summary(sections: dict[tuple[str, str], Section]) -> list[str]:
    """One line per target and run: how often the unit ranks first for the target and for the judge."""
    lines = []
    for section in sections.values():
        by_name: dict[str, list[results.Row]] = {}
        for card in section.cards.values():
            for strip in card.strips:
                by_name.setdefault(strip.name, []).extend(p.row for p in strip.pictures if p.row)
        for name, rows in by_name.items():
            ranks, made = results.ranked(rows), results.count(len(rows), "picture")
            success = f", target top-1 {results.top(ranks, 1)} of {len(ranks)}" if ranks else ""
            lines.append(f"{section.target} {section.layer}, {name}: {made}{success}{_judged(rows)}")
    return lines


def _judged(rows: Sequence[results.Row]) -> str:
    ranks = results.judged(rows)
    if not ranks:
        return ""
    return f"; judge top-1 {results.top(ranks, 1)}, top-5 {results.top(ranks, 5)} of {len(ranks)}"
