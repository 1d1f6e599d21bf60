"""Curves of scores as SVG, with axes; the page that shows one sets its colours."""

import math
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT, LEFT, BELOW = 520, 300, 44, 26  # of the drawing, and its margins, in its own units


def drawing(lines: Mapping[str, Sequence[tuple[float, float]]], most: float, what: str) -> str:
    """Scores over what was done for them; empty if no score is finite.

    Args:
        lines: the points of each line, (x, score), by the line's class in the page's style. The last line's last point
            has a dot.
        most: where the axis ends; it begins at 0.
        what: the axis counts, "steps".
    """
    finite = {name: [(x, y) for x, y in points if math.isfinite(y)] for name, points in lines.items()}
    scores = [score for points in finite.values() for _, score in points]
    if not scores:
        return ""
    low, high = min(scores), max(scores)

    def place(x: float, score: float) -> tuple[float, float]:
        down = 8 + (HEIGHT - BELOW - 8) * (high - score) / ((high - low) or 1)
        return LEFT + (WIDTH - LEFT - 8) * x / max(most, 1), down

    drawn = ""
    for mark in ticks(low, high):
        y = place(0, mark)[1]
        drawn += f'<line x1="{LEFT}" x2="{WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}"/>'
        drawn += f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{mark:g}</text>'
    drawn += f'<text x="{LEFT}" y="{HEIGHT - 4}">0</text>'
    drawn += f'<text x="{WIDTH - 8}" y="{HEIGHT - 4}" text-anchor="end">{most:,} {what}</text>'
    for name, points in finite.items():
        path = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in points)
        drawn += f'<polyline class="{name}" points="{path}"/>'
    x, y = place(*next(points for points in reversed(finite.values()) if points)[-1])
    drawn += f'<circle r="3.5" cx="{x:.1f}" cy="{y:.1f}"/>'
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="score over {what}">{drawn}</svg>'


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high: two to six of them where these differ."""
    span = (high - low) or 1.0
    by = 10.0 ** math.floor(math.log10(span / 4))
    by *= next(factor for factor in (1, 2, 5, 10) if span / (by * factor) <= 5)
    first, last = math.ceil(low / by), math.floor(high / by)
    return [round(by * i, 10) for i in range(first, last + 1)]
