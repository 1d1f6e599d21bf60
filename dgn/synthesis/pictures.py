"""The results of a synthesis: tensors, a table, and their display in a notebook."""

import base64
import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from dgn import report
from dgn.base.images import saved, shown
from dgn.report import results
from dgn.report.page import template

MOST_SHOWN = 200  # pictures in a notebook's cell; the tensors hold all


@dataclass(repr=False, eq=False)
class Pictures:
    """What a synthesis made.

    Attributes:
        images: (N, C, H, W) in [0, 1], as they are saved: 8 bits a channel.
        rows: unit, label, seed, score, … of each image.
        codes: (N, *code_shape), from which G makes the images.
        curves: (N, steps) the score before each step, NaN from a row's end on.
        page: path of the page if `output` was set, else None.
        log: what the command would print, such as warnings about weights.
    """

    images: Tensor
    rows: list[results.Row]
    codes: Tensor
    curves: Tensor
    page: Path | None = None
    log: str = ""

    @classmethod
    def read(cls, folder: Path, page: Path | None = None, log: str = "") -> "Pictures":
        """The results in the folder of a finished run."""
        rows = results.read(folder / "results.csv")
        tensors = load_file(folder / "codes.safetensors")
        images = torch.stack([saved(folder / row.image) for row in rows])
        return cls(images, rows, tensors["codes"], tensors["curves"], page, log)

    def __len__(self) -> int:
        return len(self.rows)

    def table(self) -> list[dict[str, Any]]:
        """One dict of plain values per picture, for `pandas.DataFrame(pictures.table())`."""
        return [asdict(row) for row in self.rows]

    def plot(self) -> Image.Image:
        """All pictures on one sheet, each unit's seeds side by side under its name.

        A PIL image, which a notebook shows: `.save(FILE)` writes it, `plt.imshow(pictures.plot())` draws it.
        """
        places = {row.row: i for i, row in enumerate(self.rows)}
        return report.sheet(self.rows, lambda row: self._image(places[row.row]).convert("RGB"))

    def __repr__(self) -> str:
        units, size = len({row.unit for row in self.rows}), "×".join(map(str, self.images.shape[1:]))
        return (f"Pictures({len(self)} of {units} {'unit' if units == 1 else 'units'}, {size}; "
                f"{results.summary(self.rows)})")  # fmt: skip

    def _repr_html_(self) -> str:
        """The pictures with their names and scores, for a notebook; nothing is loaded from elsewhere."""
        units: dict[str, tuple[str, list[tuple[results.Row, str]]]] = {}
        for i, row in enumerate(self.rows[:MOST_SHOWN]):
            units.setdefault(row.unit, (row.label, []))[1].append((row, _inline(self._image(i))))
        more = max(0, len(self) - MOST_SHOWN)
        return template("pictures.html.j2").render(
            title=repr(self), units=list(units.values()), more=more, log=self.log.strip()
        )

    def _image(self, i: int) -> Image.Image:
        pixels = shown(self.images[i])
        return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _inline(image: Image.Image) -> str:
    """A picture as a data: URI."""
    file = io.BytesIO()
    image.save(file, format="PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
