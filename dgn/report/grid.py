"""A sheet of all of a run's pictures, with labels."""

import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from dgn.base.files import whole
from dgn.report import results

PIXELS = 12_000_000  # what the pictures of a sheet may have together, roughly
LARGEST, SMALLEST = 128, 24  # side of a picture on the sheet, px
LINE, GAP = 20, 4  # height of a name and distance of pictures, px


def write_grid(run: Path) -> Path:
    """Write `grid.png` in a run's folder: a unit's seeds side by side under its name, near to square as a whole.

    The more rows, the smaller their pictures, so that a sheet of thousands can still be opened.
    """
    groups: dict[str, list[results.Row]] = {}
    for row in results.read(run / "results.csv"):
        groups.setdefault(row.unit, []).append(row)
    seeds = max(len(rows) for rows in groups.values())
    side = min(LARGEST, max(SMALLEST, math.isqrt(PIXELS // sum(len(rows) for rows in groups.values()))))
    square = max(1, min(len(groups), round(math.sqrt(len(groups) * 1.25 / seeds))))
    columns = min((square, square + 1, max(1, square - 1)), key=lambda n: -len(groups) % n)  # the fullest last line
    width, height = seeds * (side + GAP) + 3 * GAP, side + LINE + 2 * GAP
    sheet = Image.new("RGB", (columns * width + GAP, math.ceil(len(groups) / columns) * height + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14 if side > 60 else 10)
    for i, rows in enumerate(groups.values()):
        left, top = (i % columns) * width + GAP, (i // columns) * height + GAP
        draw.text((left, top), _fitting(rows[0].label, font, width - 3 * GAP), "black", font)
        for s, row in enumerate(rows):
            corner = (left + s * (side + GAP), top + LINE)
            with Image.open(run / row.image) as picture:
                sheet.paste(picture.convert("RGB").resize((side, side), Image.Resampling.LANCZOS), corner)
            if row.state == "dead":
                draw.text((corner[0] + side / 2, corner[1] + side / 2), "dead", "white", font, "mm", stroke_width=2,
                          stroke_fill="black")  # fmt: skip
    with whole(run / "grid.png") as part:
        sheet.save(part, format="PNG")
    return run / "grid.png"


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """As much of `text` as fits into `width` px."""
    kept = text
    while kept and font.getlength(kept) > width:
        kept = kept[:-1] if kept == text else kept[:-2]
        kept += "…"
    return kept
