"""The page of a search: what drives each neuron most, and how far the search has come."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from dgn.base import images
from dgn.base.files import write_text
from dgn.report import method, private, results
from dgn.report.curve import drawing
from dgn.report.page import template
from dgn.report.pictures import inline, thumbnail
from dgn.report.private import names_only

if TYPE_CHECKING:
    from dgn.synthesis.search import Search


@dataclass(frozen=True)
class Card:
    """One unit: its number, pictures as data: URIs, its curve as SVG, the last generation from the highest score on."""

    unit: int
    best: str
    score: float
    centre: str
    curve: str
    last: list[tuple[str, float]]


def write(search: "Search", how: Mapping[str, Any]) -> Path:
    """Write a search's pictures, its curve and its page into its folder; the page.

    Args:
        search: with at least one generation told.
        how: what its page says of the method, from `provenance.searched`.
    """
    scores, folder = search.scores, search.folder
    last = search.last().view(*scores.shape[1:], *search.centre().shape[1:])
    best, highest = search.best()
    for unit, (picture, centre) in enumerate(zip(best, search.centre(), strict=True)):
        images.save(folder / f"best-{unit}.png", picture)
        images.save(folder / f"centre-{unit}.png", centre)
    _write_curve(search)
    cards = [
        Card(
            unit,
            inline(folder / f"best-{unit}.png", whole=True),
            float(highest[unit]),
            inline(folder / f"centre-{unit}.png", whole=True),
            _curve(scores[:, unit], search.config.ascent.steps),
            _ordered(last[unit], scores[-1, unit]),
        )
        for unit in range(len(highest))
    ]
    shown = template("search.html.j2").render(
        title=f"Search {names_only(folder.name)}",
        how=method.sentences([("", how)], "the responses that were measured"), cards=cards,
        summary=_summary(search), done=search.done, settings=private.settings((folder / "config.yaml").read_text()),
    )  # fmt: skip
    write_text(folder / "index.html", shown)
    return folder / "index.html"


def _summary(search: "Search") -> str:
    """How far the search has come."""
    scores, steps = search.scores, search.config.ascent.steps
    missing = int(scores.isnan().sum())
    left_out = f", {missing:,} of them without a score" if missing else ""
    return (f"generation {search.generation} of {steps}: {results.count(scores.numel(), 'picture')} shown"
            f"{left_out}")  # fmt: skip


def _curve(scores: Tensor, steps: int) -> str:
    """The mean and the highest score of each generation (generations, population) over the pictures shown."""
    population = scores.shape[1]
    at = [population * (i + 1) for i in range(len(scores))]
    highest = scores.nan_to_num(-torch.inf).amax(1)
    lines = {"highest": highest.tolist(), "mean": scores.nanmean(1).tolist()}
    points = {name: list(zip(at, values, strict=True)) for name, values in lines.items()}
    return drawing(points, population * steps, "pictures shown")


def _ordered(pictures: Tensor, scores: Tensor) -> list[tuple[str, float]]:
    """Pictures (population, C, H, W) with their scores, the highest first, those without a score last."""
    order = scores.nan_to_num(-torch.inf).argsort(descending=True, stable=True)
    made = []
    for i in order.tolist():
        array = images.shown(pictures[i])
        one = Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)
        made.append((thumbnail(one), float(scores[i])))
    return made


def _write_curve(search: "Search") -> None:
    """The mean score of every generation, as a table."""
    header = ",".join(["generation", *(f"unit_{unit}" for unit in range(search.config.units))])
    rows = [",".join([str(i), *map(repr, row)]) for i, row in enumerate(search.curve.tolist())]
    write_text(search.folder / "curve.csv", "\n".join([header, *rows]) + "\n")
