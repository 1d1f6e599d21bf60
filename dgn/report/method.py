"""What the page says of how its pictures were made: only what the manifests of its runs record."""

from collections.abc import Mapping, Sequence
from typing import Any

MINIMISED = "A unit with a minus in front was made to fire as little as possible; its number is the negated score."
SUMS = "A sum of units was searched as one score, the weighted sum of theirs."


def sentences(runs: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """The sentences above the pictures, from the runs' names and their manifests' `method`, empty in old manifests."""
    found = ["Each picture was found by gradient ascent on the score of its unit."]
    ways = {name: _way(method) for name, method in runs if method}
    if len(set(ways.values())) == 1 and len(ways) == len(runs):
        found.append(f"The search {next(iter(ways.values()))}.")
    else:
        found += [f"{name[:1].upper()}{name[1:]}: the search {way}." for name, way in ways.items()]
    if any(method.get("minimised") for _, method in runs):
        found.append(MINIMISED)
    if any(method.get("sums") for _, method in runs):
        found.append(SUMS)
    return found


def score(methods: Sequence[Mapping[str, Any]]) -> str:
    """What the number in bold is: what all runs climbed, or no more than that."""
    names = {method.get("score", "") for method in methods}
    what = f": {names.pop()}" if len(names) == 1 and "" not in names else ""
    return f"The number in bold is the score that was climbed{what}."


def _way(method: Mapping[str, Any]) -> str:
    return f"started from {method['start']} and changed {method['searched']}; {method['range']}"
