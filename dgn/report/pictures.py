"""Pictures embedded in a page: full size if there are few, thumbnails if there are many."""

import base64
import io
from pathlib import Path

from PIL import Image

WHOLE = 400  # pictures of a page that are shown as they are; more become thumbnails
SIDE = 128  # of a thumbnail, px at most


def inline(path: Path, whole: bool) -> str:
    """A picture file as a data: URI; unless `whole`, as WebP of at most `SIDE` px, a fifth of the PNG's size."""
    if whole:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    with Image.open(path) as image:
        return thumbnail(image)


def thumbnail(image: Image.Image) -> str:
    """A picture of at most `SIDE` px as a data: URI."""
    small = image.convert("RGB")
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, format="WEBP", quality=80, method=2)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
