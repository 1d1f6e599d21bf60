"""Text to units to scores."""

from dgn.units.grammar import Term, Unit, from_file, parse, split_layer
from dgn.units.objective import Logit, LogProbability, Margin, Objective, Scorer

__all__ = [
    "LogProbability",
    "Logit",
    "Margin",
    "Objective",
    "Scorer",
    "Term",
    "Unit",
    "from_file",
    "parse",
    "split_layer",
]
