"""The page's view of a climb as HTML: picture, score curve and result."""

import base64
import io
import math
from html import escape

import numpy as np
from PIL import Image

from dgn.base import images
from dgn.report.results import Row
from dgn.synthesis.interactive import Shot

WIDTH, HEIGHT, LEFT, BELOW = 520, 300, 44, 26  # of the curve's drawing, and its margins, in its own units


EMPTY = """<div class="stage"><div class="empty">Press Start to see a picture</div>
<div><div class="score">– <small>score</small></div><div class="known"></div></div></div>"""


def stage(shot: Shot, steps: int, layer: str) -> str:
    """A shot of a climb of `steps` for a unit of `layer`."""
    scores = shot.scores.double().numpy()
    now = shot.row.score if shot.row else scores[-1]
    figure = f"{now:.2f}" if math.isfinite(now) else "–"
    known = result(shot.row, layer) if shot.row else f"step {len(scores)} of {steps}"
    return (
        f'<div class="stage" data-steps="{len(scores)}" data-done="{str(shot.row is not None).lower()}">'
        f'<img alt="the picture" src="{png(shot)}"><div><div class="score"><b>{figure}</b> <small>score</small></div>'
        f'<div class="known">{escape(known)}</div>{curve(scores, steps)}</div></div>'
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


def curve(scores: np.ndarray, steps: int) -> str:
    """The score over the steps as SVG, with an axis that holds zero steps to `steps`."""
    finite = scores[np.isfinite(scores)]
    if not len(finite):
        return ""
    low, high = float(finite.min()), float(finite.max())

    def x(step: float) -> float:
        return LEFT + (WIDTH - LEFT - 8) * step / max(steps, 1)

    def y(score: float) -> float:
        return 8 + (HEIGHT - BELOW - 8) * (high - score) / ((high - low) or 1)

    drawn = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH - 8}" y1="{y(m):.1f}" y2="{y(m):.1f}"/>'
        f'<text x="{LEFT - 8}" y="{y(m) + 4:.1f}" text-anchor="end">{m:g}</text>'
        for m in ticks(low, high)
    )
    drawn += f'<text x="{LEFT}" y="{HEIGHT - 4}">0</text>'
    drawn += f'<text x="{WIDTH - 8}" y="{HEIGHT - 4}" text-anchor="end">{steps} steps</text>'
    points = [(x(i), y(score)) for i, score in enumerate(scores) if np.isfinite(score)]
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    dot = f'<circle r="3.5" cx="{points[-1][0]:.1f}" cy="{points[-1][1]:.1f}"/>'
    drawn += f'<polyline points="{line}"/>{dot}'
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="score over steps">{drawn}</svg>'


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high: two to six of them where these differ."""
    span = (high - low) or 1.0
    by = 10.0 ** math.floor(math.log10(span / 4))
    by *= next(factor for factor in (1, 2, 5, 10) if span / (by * factor) <= 5)
    first, last = math.ceil(low / by), math.floor(high / by)
    return [round(by * i, 10) for i in range(first, last + 1)]


def said(text: str, mistake: bool = False) -> str:
    """A sentence on the page."""
    if not text:
        return ""
    kind = ' class="said mistake" role="alert"' if mistake else ' class="said"'
    return f"<div{kind}>{escape(text)}</div>"
