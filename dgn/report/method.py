"""The page's sentences on how the pictures were made, from the manifests of its runs."""

from collections.abc import Mapping, Sequence
from typing import Any

MINIMISED = "A unit with a minus in front was minimised; its number is the negated value."
SUMS = "For a sum of units, the weighted sum of their scores was maximised."


def sentences(runs: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """The sentences above the pictures, from the runs' names and their manifests' `method`, empty in old manifests."""
    sentences = ["Each picture was made by gradient ascent on the score of its unit."]
    ways = {name: _way(method) for name, method in runs if method}
    if len(set(ways.values())) == 1 and len(ways) == len(runs):
        sentences.append(f"The search {next(iter(ways.values()))}.")
    else:
        sentences += [f"{name[:1].upper()}{name[1:]}: the search {way}." for name, way in ways.items()]
    if any(method.get("minimised") for _, method in runs):
        sentences.append(MINIMISED)
    if any(method.get("sums") for _, method in runs):
        sentences.append(SUMS)
    return sentences


def score(methods: Sequence[Mapping[str, Any]]) -> str:
    """The sentence on the number in bold: the objective, if all runs share it."""
    names = {method.get("score", "") for method in methods}
    what = f": {names.pop()}" if len(names) == 1 and "" not in names else ""
    return f"The number in bold is the score{what}."


def _way(method: Mapping[str, Any]) -> str:
    return f"started from {method['start']} and optimised {method['searched']}; {method['range']}"
