"""Dataset examples: the real images with the highest score of a unit, to compare with the synthesized ones."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor

from dgn import data
from dgn.base import images, lightning
from dgn.base.errors import UserError
from dgn.base.files import write_text
from dgn.data.dataset import Images
from dgn.data.settings import UNCHANGED, DataSettings
from dgn.data.sources import Source
from dgn.evaluation.patches import Cut
from dgn.networks import class_names
from dgn.networks.preprocessing import Preprocessing
from dgn.report import results
from dgn.units import Unit
from dgn.units.names import ClassNames
from dgn.units.objective import Logit
from dgn.units.score_table import ScoreTable
from dgn.units.target import Target
from dgn.units.wanted import Level

ENOUGH = 100  # real images of a class, or of any kind for a unit that is no class: below, their best is left to chance
MOST = 100_000  # training images that are scored without being asked for
TOGETHER = 2048  # images whose scores are looked through at a time


def real_images(
    settings: DataSettings, which: Literal["val", "train", "auto"], seed: int, target: Target, side: int | Sequence[int]
) -> tuple[data.DataModule, str] | None:
    """The images of `data`, as the target sees them, and which are scored, "val" or "train"; None without `data.root`.

    `side` is the size of the pictures, px. UserError if the folder holds no images.
    """
    if not settings.root:
        return None
    module = data.build(as_seen(settings, target.features.contract, side), UNCHANGED, seed)
    return module, choose(module, target) if which == "auto" else which


def as_seen(settings: DataSettings, contract: Preprocessing, side: int | Sequence[int]) -> DataSettings:
    """The settings with which the target sees real images as it sees pictures of the size `side`, px.

    The settings' own size is the target's. But a target that takes the centre of larger images (`fit: crop`) gets the
    centre of a real one, too, where pictures are larger than its input.
    """
    resize, sources = settings.resize, settings.sources
    if contract.fit == "crop" and resize == settings.crop == contract.size:
        larger = [max(pair) for pair in zip(images.sides(resize), images.sides(side), strict=True)]
        resize = larger[0] if larger[0] == larger[1] else larger
        sources = sources | {"size": resize}
    return settings.model_copy(update={"sources": sources, "resize": resize, "val_images": None})


def choose(module: data.DataModule, target: Target) -> str:
    """Choose the real images to score for real_from=auto; prints a line unless they are simply the held-out ones.

    Training images are chosen if a unit has too few held-out images for a `relative` score, but enough of those.
    """
    val, train = (scored(target, target.units, labels(part.source)) for part in (module.val, module.train))
    few = [unit.label for unit, v, t in zip(target.units, val, train, strict=True) if v < ENOUGH <= t]
    if not few:
        return "val"
    reason = f"{few[0]} has fewer than {ENOUGH} held-out images to compare with"
    if len(module.train) > MOST:
        print(f"real images: {reason}, so no relative score: set real_from=train to score {len(module.train)} images")
        return "val"
    print(f"real images: of the training images, because {reason}")
    return "train"


def labels(source: Source) -> dict[str, int]:
    """How many images a source has of each class, by its name."""
    counts = np.bincount(source.labels, minlength=len(source.classes)).tolist()
    return dict(zip(class_names.readable(list(source.classes)), counts, strict=True))


class Best:
    """The highest scores of each unit, and whose they are, over batches of images.

    Batches are gathered before they are looked through: a search has a cost of its own.
    """

    def __init__(self, most: int) -> None:
        self.most, self.waiting = most, 0
        self.parts: list[tuple[Tensor, Tensor]] = []

    def add(self, scores: Tensor, index: Tensor) -> None:
        """Scores (N, units) of the images `index` (N,). What is not a number counts as the lowest."""
        scores = scores.nan_to_num(-torch.inf, torch.inf, -torch.inf)
        self.parts.append((scores, index.to(scores.device)[:, None].expand_as(scores)))
        self.waiting += len(scores)
        if self.waiting >= TOGETHER:
            self.top()

    def top(self) -> tuple[Tensor, Tensor]:
        """(at most `most`, units) scores from the highest on, and the images that have them."""
        scores, index = (torch.cat(part) for part in zip(*self.parts, strict=True))
        highest = scores.topk(min(self.most, len(scores)), dim=0)
        self.parts, self.waiting = [(highest.values, index.gather(0, highest.indices))], 0
        return self.parts[0]


@torch.no_grad()
def real_scores(
    module: data.DataModule, which: str, target: Target, table: ScoreTable
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Score real images, batch by batch: scores (N, units) on the target's device, labels (N,), numbers (N,)."""
    count = len(getattr(module, which))
    batches = module.plain(count) if which == "train" else module.val_dataloader()
    table = table.to(target.device)
    with Progress(transient=True) as bar, lightning.on_device(target.device, target.features):
        task = bar.add_task("scoring real images", total=count)
        for x, label, index in batches:
            yield table(target.features(x.to(target.device))), label, index
            bar.update(task, advance=len(x))


def measure_levels(target: Target, real: tuple[data.DataModule, str] | None) -> None:
    """Where the units are to be brought to percentiles of real images, find those levels, and say them."""
    level = target.objective
    if not isinstance(level, Level) or level.measured:
        return
    if real is None:
        raise UserError("objective=level takes percentiles of real images: set data.root=DIR")
    scores = torch.cat([found.cpu() for found, *_ in real_scores(*real, target, ScoreTable(target.units, Logit()))])
    level.measure(target.units, scores)
    for unit in target.units:
        print(f"level of {unit.label}: {level.of([unit]).item():.4g}, percentile {level.percentile:g} of {len(scores)} "
              "real images")  # fmt: skip


@torch.no_grad()
def write_real_images(
    module: data.DataModule,
    which: str,
    most: int,
    target: Target,
    chosen: Mapping[int, Unit],
    output: Path,
    cut: Cut | None = None,
) -> dict[str, float]:
    """Score real images and write the `most` that fire each unit most: `real/*.png` and `real.csv`. Its column
    `facet` is empty here, see `dgn.synthesis.facets`.

    `chosen` has the units by their place among all of the run; `cut` gives the part of an image that is shown. Gives
    the best score of every unit, by its text, for which enough images count.
    """
    source: Images = getattr(module, which)
    units = list(chosen.values())
    best, seen = Best(max(most, 1)), []
    for found, label, index in real_scores(module, which, target, ScoreTable(units, target.objective)):
        best.add(found, index)
        seen.append(label)
    top, which_images = (part.T.tolist() for part in best.top())
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["unit", "place", "score", "name", "image", "facet"])
    for column, (u, unit) in enumerate(chosen.items()):
        for place, (score, i) in enumerate(zip(top[column][:most], which_images[column][:most], strict=True)):
            image = f"real/{u:05d}-{place}.png"
            whole = source.image(i)
            images.save(output / image, cut(whole, unit) if cut else whole)
            rows.writerow([unit.text, place + 1, f"{score:.6g}", source.source.name(i), image, ""])
    write_text(output / "real.csv", text.getvalue())
    read = np.bincount(torch.cat(seen).numpy(), minlength=len(module.classes)).tolist()
    counts = scored(target, units, dict(zip(class_names.readable(module.classes), read, strict=True)))
    return {unit.text: highest[0] for unit, highest, count in zip(units, top, counts, strict=True) if count >= ENOUGH}


def compared(target: Target, unit: Unit) -> bool:
    """Whether a unit's pictures are compared with the best real image, if there are enough: not sums of classes."""
    return not target.is_output or target.wanted(unit) is not None


def scored(target: Target, chosen: Sequence[Unit], of_class: Mapping[str, int]) -> list[int]:
    """How many real images can be each unit's best: those of its class, or all where the layer is not the output.

    `of_class` counts them by class name. A sum of classes and a class that is minimised have none.
    """
    if not target.is_output:
        return [sum(of_class.values())] * len(chosen)
    names = ClassNames(list(of_class))
    places = [None if (name := target.wanted(unit)) is None else names.find(name) for unit in chosen]
    return [0 if i is None else of_class[names.classes[i]] for i in places]


def named(target: Target, folders: Sequence[str]) -> bool:
    """Whether any class name of the target is that of a folder of real images."""
    names = ClassNames(class_names.readable(folders))
    return any(names.find(name) is not None for name in target.classes or [])


def relate(rows: Sequence[results.Row], best: Mapping[str, float]) -> list[results.Row]:
    """The rows with their relative activation: score over the best real image's, where that one is above zero."""
    return [replace(row, relative=row.score / best[row.unit]) if best.get(row.unit, 0) > 0 else row for row in rows]
