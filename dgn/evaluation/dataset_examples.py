"""The real images that fire a unit most, beside the synthesized ones, and how much more those fire it."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress

from dgn import data
from dgn.base import images, lightning
from dgn.base.errors import UserError
from dgn.base.files import write_text
from dgn.data.dataset import Images
from dgn.networks import class_names
from dgn.report import results
from dgn.units import Unit
from dgn.units.names import ClassNames
from dgn.units.target import Subject

ENOUGH = 100  # real images of a class, or of any kind for a unit that is no class: below, their best is left to chance


def real_images(config: Mapping[str, Any]) -> tuple[data.DataModule, str] | None:
    """The images of `data` and which of them are scored, "val" or "train"; None where it names no folder.

    UserError where that holds none.
    """
    which = config["real_from"]
    if which not in {"val", "train"}:
        raise UserError(f"real_from={which} is neither: type real_from=val or real_from=train")
    if not config["data"]["root"]:
        return None
    plain = {"pad": 0, "flip": False, "brightness": 0}
    return data.build(config["data"] | {"val_images": None}, plain, config["seed"]), which


@torch.no_grad()
def write_real_images(
    module: data.DataModule, which: str, most: int, subject: Subject, chosen: Mapping[int, Unit], output: Path
) -> dict[str, float]:
    """Score real images and write the `most` that fire each unit most: `real/*.png` and `real.csv`.

    `chosen` has the units by their place among all of the run. Gives the best score of every unit, by its text, for
    which enough images count.
    """
    source: Images = getattr(module, which)
    batches = module.plain(len(source)) if which == "train" else module.val_dataloader()
    found, kept, labels = [], [], Counter[int]()
    with Progress(transient=True) as bar, lightning.on_device(subject.device, subject.target):
        task = bar.add_task("scoring real images", total=len(source))
        for x, label, index in batches:
            activation = subject.target(x.to(subject.device)).cpu()
            found.append(torch.stack([subject.score([unit] * len(x))(activation) for unit in chosen.values()], 1))
            kept.append(index)
            labels.update(label.tolist())
            bar.update(task, advance=len(x))
    scores, index = torch.cat(found), torch.cat(kept)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["unit", "place", "score", "name", "image"])
    for column, (u, unit) in enumerate(chosen.items()):
        top = scores[:, column].topk(min(most, len(scores)))
        for place, (score, i) in enumerate(zip(top.values.tolist(), index[top.indices].tolist(), strict=True)):
            image = f"real/{u:05d}-{place}.png"
            images.save(output / image, source.image(i))
            table.writerow([unit.text, place + 1, f"{score:.6g}", source.source.name(i), image])
    write_text(output / "real.csv", text.getvalue())
    of_class = {name: labels[i] for i, name in enumerate(class_names.readable(module.classes))}
    counts = scored(subject, list(chosen.values()), of_class)
    best = zip(chosen.values(), scores.amax(0).tolist(), counts, strict=True)
    return {unit.text: score for unit, score, count in best if count >= ENOUGH}


def scored(subject: Subject, chosen: Sequence[Unit], of_class: Mapping[str, int]) -> list[int]:
    """How many real images can be each unit's best: those of its class, or all where the layer is not the output.

    `of_class` counts them by class name. A sum of classes and a class that is minimised have none.
    """
    if not subject.is_output:
        return [sum(of_class.values())] * len(chosen)
    found = ClassNames(list(of_class))
    places = [None if (name := subject.wanted(unit)) is None else found.find(name) for unit in chosen]
    return [0 if i is None else of_class[found.classes[i]] for i in places]


def relate(rows: Sequence[results.Row], best: Mapping[str, float]) -> list[results.Row]:
    """The rows with their relative activation: score over the best real image's, where that one is above zero."""
    return [replace(row, relative=row.score / best[row.unit]) if best.get(row.unit, 0) > 0 else row for row in rows]
