"""One self-contained page from one or more run folders: a card a unit, a strip a generator, a picture a seed."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, Template, select_autoescape
from safetensors import safe_open

from dgn.base.files import write_text
from dgn.report import results
from dgn.report.pictures import WHOLE, inline

TEMPLATES = Path(__file__).parent / "templates"


@dataclass
class Picture:
    """A synthesized image, or a real one (then only `data`, `score` and `name`); `link` leads to the file."""

    data: str
    score: float
    row: results.Row | None = None
    curve: str = ""
    name: str = ""
    link: str = ""


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
    def best(self) -> results.Row:
        """The first strip's row with the highest score: what the card is sorted by."""
        return max((p.row for p in self.strips[0].pictures if p.row), key=lambda row: row.score)

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
        """UserError where it is not the folder of a finished run."""
        return cls(folder, results.about(folder), results.read(folder / "results.csv"), results.read_real(folder))


def write_page(folders: Sequence[Path], output: Path, title: str) -> Path:
    """Write `output/index.html` from run folders, everything inside it; UserError where a run has no results.

    Runs with the same target share its section, and units that they share stand in one card, side by side.
    """
    runs = [Run.read(folder) for folder in folders]
    whole = sum(len(run.rows) + len(run.real) for run in runs) <= WHOLE
    sections: dict[tuple[str, str], Section] = {}
    for run, name in zip(runs, _names(runs), strict=True):
        target = run.about["target"]
        section = sections.setdefault((target["name"], target["layer"]), Section(target["name"], target["layer"]))
        _add(section, run, name, whole, output)
    settings = [(run.folder.name, _text(run.folder / "config.yaml"), json.dumps(run.about, indent=1)) for run in runs]
    page = template("page.html.j2").render(
        title=title, sections=list(sections.values()), settings=settings, summary=_summary(sections), whole=whole,
        judged=any(row.judge_rank is not None for run in runs for row in run.rows),
        related=any(row.relative is not None for run in runs for row in run.rows),
    )  # fmt: skip
    write_text(output / "index.html", page)
    return output / "index.html"


def template(name: str) -> Template:
    """A template beside this file; what it shows is escaped."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(default=True))
    return environment.get_template(name)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _names(runs: Sequence[Run]) -> list[str]:
    """What a strip of each run is called: its generator, or its folder where that does not tell it from another."""
    made = [(run.about["target"], run.about["generator"]["name"]) for run in runs]
    short = [run.folder.name for run in runs]
    names = []
    for run, (target, generator) in zip(runs, made, strict=True):
        if made.count((target, generator)) == 1:
            names.append("without a prior: pixels" if generator == "pixels" else f"through {generator}")
        else:
            names.append(run.folder.name.replace("_", " ") if short.count(run.folder.name) == 1 else str(run.folder))
    return names


def _add(section: Section, run: Run, name: str, whole: bool, output: Path) -> None:
    with safe_open(run.folder / "codes.safetensors", "np") as file:
        curves = file.get_tensor("curves")
    strips: dict[str, Strip] = {}
    for row, curve in zip(run.rows, curves, strict=True):
        card = section.cards.setdefault(row.unit, Card(row.unit, row.label))
        if row.unit not in strips:
            strips[row.unit] = Strip(name, [])
            card.strips.append(strips[row.unit])
        path = run.folder / row.image
        link = "" if whole else quote(os.path.relpath(path, output))
        points = _path(curve.tolist(), points=50 if whole else 20)
        strips[row.unit].pictures.append(Picture(inline(path, whole), row.score, row, points, link=link))
    known = {unit for unit, card in section.cards.items() if card.real}  # another run of the same units has them
    for record in run.real:
        if record["unit"] in known:
            continue
        picture = Picture(inline(run.folder / record["image"], whole), float(record["score"]), name=record["name"])
        section.cards[record["unit"]].real.append(picture)


def _path(curve: Sequence[float], width: int = 100, height: int = 22, points: int = 50) -> str:
    """The points of an SVG polyline: the score over the steps, scaled to the box."""
    kept = [(i, v) for i, v in enumerate(curve) if v == v]
    kept = kept[:: max(1, len(kept) // points)]
    if len(kept) < 2:
        return ""
    low, high = min(v for _, v in kept), max(v for _, v in kept)
    span = (high - low) or 1.0
    steps = max(1, len(curve) - 1)
    return " ".join(f"{width * i / steps:.1f},{height - (height - 2) * (v - low) / span - 1:.1f}" for i, v in kept)


def _summary(sections: dict[tuple[str, str], Section]) -> list[str]:
    """One sentence a target and run: how often the unit itself is the target's first answer, and the judge's."""
    lines = []
    for section in sections.values():
        by_name: dict[str, list[results.Row]] = {}
        for card in section.cards.values():
            for strip in card.strips:
                by_name.setdefault(strip.name, []).extend(p.row for p in strip.pictures if p.row)
        for name, rows in by_name.items():
            ranked = [row for row in rows if row.rank is not None and not row.unit.startswith("-")]
            first = sum(row.rank == 1 for row in ranked)
            success = f", the target's first answer in {first} of {len(ranked)}" if ranked else ""
            lines.append(f"{section.target} {section.layer}, {name}: {len(rows)} pictures{success}{_judged(rows)}")
    return lines


def _judged(rows: Sequence[results.Row]) -> str:
    ranks = results.judged(rows)
    if not ranks:
        return ""
    first, five = (sum(rank <= k for rank in ranks) for k in (1, 5))
    return f"; the judge's first answer in {first} of {len(ranks)}, among its first five in {five}"
