"""Learning-rate schedules as plain functions of the finished share of a run.

torch's schedulers give the same rates, see tests/training/test_schedule.py. They are not used because they count their
own steps and keep the first rate in the checkpoint. A rate here follows from the settings and the iteration alone (or a
player's own updates), so a resumed run takes a new rate or a new number of iterations, and nothing is added up.
"""

import math

from dgn.base.typed import NotNegative, Share


def one_cycle(done: float, warm_up: float) -> float:
    """Share of the peak rate: linear from 0.04 up to 1 over the first `warm_up` of the run, then a cosine to 0."""
    if done < warm_up:
        return 0.04 + 0.96 * done / warm_up
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (done - warm_up) / (1 - warm_up))))


def linear_end(done: float, start: Share, end: NotNegative) -> float:
    """1 until `start` of the run, then linearly down to `end`."""
    return 1.0 if done < start else 1 - (1 - end) * min(1.0, (done - start) / (1 - start))


def halvings(done: float, at: list[float]) -> float:
    """0.5 for every boundary that has been passed (DeePSiM halves at 300k, 500k, 700k and 900k of its million)."""
    return 0.5 ** sum(done >= boundary for boundary in at)
