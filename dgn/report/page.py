"""One self-contained page from one or more run folders: a card a unit, a strip a generator, a picture a seed."""

import base64
import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from safetensors.torch import load_file

from dgn import results
from dgn.errors import UserError
from dgn.files import write_text

TEMPLATES = Path(__file__).parent / "templates"


@dataclass
class Picture:
    """A synthesized image, or a real one (then only `data`, `score` and `name`)."""

    data: str
    score: float
    row: results.Row | None = None
    curve: str = ""
    name: str = ""


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


@dataclass
class Section:
    """One target, with its cards."""

    target: str
    layer: str
    cards: dict[str, Card] = field(default_factory=dict)


def write_page(runs: Sequence[Path], output: Path, title: str) -> Path:
    """Write `output/index.html` from run folders, everything inside it; UserError where a run has no results.

    Runs with the same target share its section, and units that they share stand in one card, side by side.
    """
    sections: dict[tuple[str, str], Section] = {}
    settings = []
    abouts = [_manifest(folder) for folder in runs]
    made = [(about["target"], about["generator"]["name"]) for about in abouts]
    for folder, about, (target, generator) in zip(runs, abouts, made, strict=True):
        section = sections.setdefault((target["name"], target["layer"]), Section(target["name"], target["layer"]))
        name = "without a prior: pixels" if generator == "pixels" else f"through {generator}"
        _add(section, folder, name if made.count((target, generator)) == 1 else folder.name.replace("_", " "))
        config = folder / "config.yaml"
        settings.append((folder.name, config.read_text() if config.exists() else "", json.dumps(about, indent=1)))
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(default=True))
    page = environment.get_template("page.html.j2").render(
        title=title, sections=list(sections.values()), settings=settings, summary=_summary(sections)
    )
    write_text(output / "index.html", page)
    return output / "index.html"


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} is not the folder of a finished run ({error})") from None


def _add(section: Section, folder: Path, name: str) -> None:
    rows = results.read(folder / "results.csv")
    curves = load_file(folder / "codes.safetensors")["curves"]
    strips: dict[str, Strip] = {}
    for row, curve in zip(rows, curves, strict=True):
        card = section.cards.setdefault(row.unit, Card(row.unit, row.label))
        if row.unit not in strips:
            strips[row.unit] = Strip(name, [])
            card.strips.append(strips[row.unit])
        picture = Picture(_inline(folder / row.image), row.score, row, _path(curve.tolist()))
        strips[row.unit].pictures.append(picture)
    real = folder / "real.csv"
    if real.exists():
        with real.open(newline="") as file:
            for record in csv.DictReader(file):
                picture = Picture(_inline(folder / record["image"]), float(record["score"]), name=record["name"])
                section.cards[record["unit"]].real.append(picture)


def _inline(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


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
    """One sentence a target and run: how often the unit itself is the target's first answer."""
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
            lines.append(f"{section.target} {section.layer}, {name}: {len(rows)} pictures{success}")
    return lines
