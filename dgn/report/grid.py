"""A sheet of all of a run's pictures, with labels."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from dgn.base.files import whole
from dgn.report import results

PIXELS = 12_000_000  # what the pictures of a sheet may have together, roughly
LARGEST, SMALLEST = 128, 24  # side of a picture on the sheet, px
LINE, GAP = 20, 4  # height of a name and distance of pictures, px


def write_grid(run: Path) -> Path:
    """Write `grid.png` in a run's folder."""

    def picture(row: results.Row) -> Image.Image:
        with Image.open(run / row.image) as image:
            return image.convert("RGB")

    with whole(run / "grid.png") as part:
        sheet(results.read(run / "results.csv"), picture).save(part, format="PNG")
    return run / "grid.png"


def sheet(rows: Sequence[results.Row], picture: Callable[[results.Row], Image.Image]) -> Image.Image:
    """A unit's seeds side by side under its name, near to square as a whole; `picture` gives a row's image as RGB.

    The more rows, the smaller their pictures, so that a sheet of thousands can still be opened.
    """
    groups: dict[str, list[results.Row]] = {}
    for row in rows:
        groups.setdefault(row.unit, []).append(row)
    seeds = max(len(members) for members in groups.values())
    side = min(LARGEST, max(SMALLEST, math.isqrt(PIXELS // len(rows))))
    square = max(1, min(len(groups), round(math.sqrt(len(groups) * 1.25 / seeds))))
    columns = min((square, square + 1, max(1, square - 1)), key=lambda n: -len(groups) % n)  # the fullest last line
    width, height = seeds * (side + GAP) + 3 * GAP, side + LINE + 2 * GAP
    canvas = Image.new("RGB", (columns * width + GAP, math.ceil(len(groups) / columns) * height + GAP), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(14 if side > 60 else 10)
    for i, members in enumerate(groups.values()):
        left, top = (i % columns) * width + GAP, (i // columns) * height + GAP
        draw.text((left, top), _fitting(members[0].label, font, width - 3 * GAP), "black", font)
        for s, row in enumerate(members):
            corner = (left + s * (side + GAP), top + LINE)
            canvas.paste(ImageOps.contain(picture(row), (side, side), Image.Resampling.LANCZOS), corner)
            if row.state == "dead":
                draw.text((corner[0] + side / 2, corner[1] + side / 2), "dead", "white", font, "mm", stroke_width=2,
                          stroke_fill="black")  # fmt: skip
    return canvas


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """As much of `text` as fits into `width` px."""
    kept = text
    while kept and font.getlength(kept) > width:
        kept = kept[:-1] if kept == text else kept[:-2]
        kept += "…"
    return kept
