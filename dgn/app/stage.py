"""The page's view of a climb as HTML: picture, score curve and result."""

import base64
import io
import math
from html import escape

from PIL import Image

from dgn.base import images
from dgn.report.curve import drawing
from dgn.report.results import Row
from dgn.synthesis.interactive import Shot

EMPTY = """<div class="stage"><div class="empty">Press Start to see a picture</div>
<div><div class="score">– <small>score</small></div><div class="known"></div></div></div>"""


def stage(shot: Shot, steps: int, layer: str) -> str:
    """A shot of a climb of `steps` for a unit of `layer`."""
    scores = shot.scores.double().numpy()
    now = shot.row.score if shot.row else scores[-1]
    figure = f"{now:.2f}" if math.isfinite(now) else "–"
    known = result(shot.row, layer) if shot.row else f"step {len(scores)} of {steps}"
    drawn = drawing({"score": list(enumerate(scores.tolist()))}, steps, "steps")
    return (
        f'<div class="stage" data-steps="{len(scores)}" data-done="{str(shot.row is not None).lower()}">'
        f'<img alt="the picture" src="{png(shot)}"><div><div class="score"><b>{figure}</b> <small>score</small></div>'
        f'<div class="known">{escape(known)}</div>{drawn}</div></div>'
    )


def result(row: Row, layer: str) -> str:
    """What is known of the final picture of a unit of `layer`."""
    if row.state == "dead":
        return (
            f"stopped after {row.steps} steps, because the gradient was zero or not finite: try another start or seed"
        )
    unit, taken = f"{layer} {row.label}", f"{row.steps} steps in {row.seconds:.1f} s"
    if row.probability is None:
        return f"{unit}: {taken}"
    return f"{unit}: {100 * row.probability:.1f} %, rank {row.rank}, {taken}"


def png(shot: Shot) -> str:
    """The picture as a data URL, in its own size: the browser enlarges it."""
    array = images.shown(shot.image)
    file = io.BytesIO()
    Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array).save(file, format="PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def said(text: str, mistake: bool = False) -> str:
    """A sentence on the page."""
    if not text:
        return ""
    kind = ' class="said mistake" role="alert"' if mistake else ' class="said"'
    return f"<div{kind}>{escape(text)}</div>"
