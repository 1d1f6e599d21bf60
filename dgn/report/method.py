"""The page's sentences on how the pictures were made, from the manifests of its runs."""

from collections.abc import Mapping, Sequence
from typing import Any

SETS = {"val": "held-out", "train": "training"}  # of real images, by the value of `real_from`
MINIMISED = "A unit with a minus in front was minimised; its number is the negated value."
OF_A_UNIT = "the score of its unit"
SUMS = "For a sum of units, the weighted sum of their scores was maximised."


def sentences(runs: Sequence[tuple[str, Mapping[str, Any]]], score: str = OF_A_UNIT) -> list[str]:
    """The sentences above the pictures, from the runs' names and their manifests' `method`, empty in old manifests.

    `score` is what was to be high.
    """
    sentences = [_made([method for _, method in runs], score)]
    ways = {name: _way(method) for name, method in runs if method}
    if len(set(ways.values())) == 1 and len(ways) == len(runs):
        sentences.append(f"The search {next(iter(ways.values()))}.")
    else:
        sentences += [f"{name[:1].upper()}{name[1:]}: the search {way}." for name, way in ways.items()]
    for said in dict.fromkeys(method["weak"] for _, method in runs if method.get("weak")):
        sentences.append(f"{said[:1].upper()}{said[1:]}.")
    if any(method.get("minimised") for _, method in runs):
        sentences.append(MINIMISED)
    if any(method.get("sums") for _, method in runs):
        sentences.append(SUMS)
    return sentences


def score(methods: Sequence[Mapping[str, Any]]) -> str:
    """The sentence on the number in bold: the objective, if all runs share it."""
    names = {method.get("score", "") for method in methods}
    what = f": {names.pop()}" if len(names) == 1 and "" not in names else ""
    places = {method.get("place") for method in methods}
    place = places.pop() if len(places) == 1 else None
    return f"The number in bold is the score{what}." + (f" A channel's value is {place}." if place else "")


def shared(methods: Sequence[Mapping[str, Any]]) -> str:
    """The sentences on what all runs of a sweep have in common."""
    sentences = [_made(methods)]

    def common(key: str) -> Any:
        values = {method.get(key) for method in methods}
        return values.pop() if len(values) == 1 else None

    done = [f"started from {common('start')}" if common("start") else "",
            f"optimised {common('searched')}" if common("searched") else ""]  # fmt: skip
    if any(done):
        within = f"; {common('range')}" if common("range") else ""
        sentences.append(f"The search {' and '.join(filter(None, done))}{within}.")
    if any(method.get("minimised") for method in methods):
        sentences.append(MINIMISED)
    return " ".join([*sentences, score(methods)])


def real(methods: Sequence[Mapping[str, Any]]) -> str:
    """The sentence on which real images were scored; empty where none were, or where runs differ."""
    scored = [method.get("real") for method in methods]
    one = next((found for found in scored if found), None)
    if one is None or any(found not in (None, one) for found in scored):
        return ""
    patches = " They are cut to what the unit sees where it fires most." if one.get("patches") else ""
    return (f"The real images are those with the highest score (of a minimised unit: the lowest) among "
            f"{one['images']:,} {SETS[one['scored']]} images (real_from={one['scored']}).{patches}")  # fmt: skip


def unrelated(methods: Sequence[Mapping[str, Any]]) -> str:
    """Why there is no factor "× best real"; empty where it is not known."""
    reasons = dict.fromkeys(method["unrelated"] for method in methods if method.get("unrelated"))
    return f"There is no × best real: {'; '.join(reasons)}." if reasons else ""


def _made(methods: Sequence[Mapping[str, Any]], score: str = OF_A_UNIT) -> str:
    """The sentence on what made the pictures."""
    by = dict.fromkeys(method.get("by") or "gradient ascent" for method in methods)
    return f"Each picture was made by {' or by '.join(by or ['gradient ascent'])} on {score}."


def _way(method: Mapping[str, Any]) -> str:
    shown = f"; each picture, as the target saw it and as it stands here, {', '.join(said)}" if (
        said := method.get("stimulus")) else ""  # fmt: skip
    return f"started from {method['start']} and optimised {method['searched']}; {method['range']}{shown}"
