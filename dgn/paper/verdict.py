"""The verdict on a claim, from nothing but the intervals of the rows that decide it."""

import math
from collections.abc import Sequence
from typing import Literal

from dgn.measures.intervals import Measure

Verdict = Literal["confirmed", "refuted", "undecided"]
Claimed = Literal["above", "below", "none"]
FEWEST = 10  # pictures: below, an interval is too narrow to decide by, see docs/measures.md
NEAR = 0.3  # a correlation within so much of 0 counts as none


def of_effect(effect: Measure, claimed: Claimed) -> Verdict:
    """Confirmed where the whole 95 % interval is where the claim has it, refuted where none of it is, else undecided.

    Claimed are a side of 0, which itself is neither, or "none": a correlation within `NEAR` of 0. Undecided, too, where
    there is no interval, or one of fewer than `FEWEST` pictures.
    """
    low, high = effect.low, effect.high
    if math.isnan(low) or math.isnan(high) or effect.n < FEWEST:
        return "undecided"
    if claimed == "none":
        return (
            "confirmed" if low >= -NEAR and high <= NEAR else "refuted" if low > NEAR or high < -NEAR else "undecided"
        )
    if low <= 0 <= high:
        return "undecided"
    return "confirmed" if (low > 0) == (claimed == "above") else "refuted"


def of_claim(effects: Sequence[Verdict]) -> Verdict:
    """Confirmed where all effects are, refuted where one is, else undecided."""
    if "refuted" in effects:
        return "refuted"
    return "confirmed" if effects and all(one == "confirmed" for one in effects) else "undecided"
