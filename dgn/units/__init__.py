"""Units: what to maximise, from text to score."""

from dgn.units.elements import Elements
from dgn.units.grammar import layers_of
from dgn.units.objective import Logit, LogProbability, Margin, Objective, OwnLogProbability, Scorer
from dgn.units.parsing import parse, parse_in
from dgn.units.terms import Term, Unit
from dgn.units.turns import Alternate, Turns
from dgn.units.unit_file import from_file
from dgn.units.wanted import Level, Match

__all__ = [
    "Alternate",
    "Elements",
    "Level",
    "LogProbability",
    "Logit",
    "Margin",
    "Match",
    "Objective",
    "OwnLogProbability",
    "Scorer",
    "Term",
    "Turns",
    "Unit",
    "from_file",
    "layers_of",
    "parse",
    "parse_in",
]
