"""Units: what to maximise, from text to score."""

from dgn.units.grammar import layer_of
from dgn.units.objective import Logit, LogProbability, Margin, Objective, OwnLogProbability, Scorer
from dgn.units.terms import Term, Unit, parse
from dgn.units.unit_file import from_file

__all__ = [
    "LogProbability",
    "Logit",
    "Margin",
    "Objective",
    "OwnLogProbability",
    "Scorer",
    "Term",
    "Unit",
    "from_file",
    "layer_of",
    "parse",
]
