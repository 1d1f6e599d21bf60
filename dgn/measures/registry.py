"""The measures by name. A new one is a module with a function and one entry here."""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dgn.measures.found import Found
    from dgn.measures.subject import Subject

MEASURES = {  # name: module with `measure(subject)`, which gives findings
    "recognised": "dgn.measures.recognised",
    "driven": "dgn.measures.driven",
    "natural": "dgn.measures.natural",
    "various": "dgn.measures.various",
    "repeated": "dgn.measures.repeated",
    "trusted": "dgn.measures.trusted",
    "two_alternative": "dgn.measures.two_alternative",
}


def measured(name: str, subject: "Subject") -> "Sequence[Found]":
    """What one measure finds in a run; imported only when asked for."""
    module: Any = import_module(MEASURES[name])
    found: Sequence[Found] = module.measure(subject)
    return found
