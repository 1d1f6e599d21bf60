"""The real images that fire a unit most, beside the synthesized ones."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from rich.progress import track

from dgn import data, images
from dgn.files import write_text
from dgn.synthesis.subject import Subject
from dgn.units import Unit


def held_out(config: Mapping[str, Any]) -> data.DataModule | None:
    """All held-out images of `data`, or None where it names no folder; UserError where that holds none."""
    if not config["data"]["root"]:
        return None
    return data.build(config["data"] | {"val_images": None}, {"pad": 0, "flip": False, "brightness": 0}, config["seed"])


@torch.no_grad()
def write_real_images(
    module: data.DataModule, most: int, subject: Subject, chosen: Mapping[int, Unit], output: Path
) -> None:
    """Score held-out images and write the `most` that fire each unit most: `real/*.png` and `real.csv`.

    `chosen` has the units by their place among all of the run.
    """
    found, kept = [], []
    for x, _, index in track(module.val_dataloader(), "scoring real images", transient=True):
        activation = subject.target(x)
        found.append(torch.stack([subject.score([unit] * len(x))(activation) for unit in chosen.values()], 1))
        kept.append(index)
    scores, index = torch.cat(found), torch.cat(kept)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["unit", "place", "score", "name", "image"])
    for column, (u, unit) in enumerate(chosen.items()):
        best = scores[:, column].topk(min(most, len(scores)))
        for place, (score, i) in enumerate(zip(best.values.tolist(), index[best.indices].tolist(), strict=True)):
            image = f"real/{u:05d}-{place}.png"
            images.save(output / image, module.val.image(i))
            table.writerow([unit.text, place + 1, f"{score:.6g}", module.val.source.name(i), image])
    write_text(output / "real.csv", text.getvalue())
