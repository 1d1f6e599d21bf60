"""The grammar of units: parse the text of a unit, independent of the layer.

    unit    = range | [LAYER:] term { (+ | -) term }
    range   = [-] [LAYER:] [FILE#] FIRST-LAST [@PLACE]  |  [-] [LAYER:] [FILE#] all [@PLACE]
    term    = [-] [WEIGHT*] [LAYER:] ELEMENT [@PLACE]
    ELEMENT = class name | number | FILE | FILE#NUMBER

| form | meaning | units |
| --- | --- | --- |
| `goldfish`, `tiger cat`, `12` | a class by its name, or an element of the layer by its number; the first is 0 | 1 |
| `3-40` | a range: elements 3 to 40, each a unit of its own | 38 |
| `all` | every element | all |
| `-goldfish`, `-12` | minimised | 1 |
| `-3-40` | a range, each element minimised | 38 |
| `-all` | every element, minimised | all |
| `0.5*lemon+0.5*goldfish` | a weighted sum | 1 |
| `lemon-goldfish` | a difference | 1 |
| `1*3-40` | a difference of two numbers: the weight tells it from the range | 1 |
| `conv5:12`, `-conv5:12` | channel 12 of the layer `conv5`: its mean over all positions | 1 |
| `conv5:12@6x7`, `conv5:12@center` | channel 12 in row 6 and column 7; in the middle | 1 |
| `conv5:12@mean`, `conv5:12@max` | its mean; its maximum | 1 |
| `blocks.11:12@cls`, `blocks.11:12@3` | element 12 of the first token; of token 3 | 1 |
| `blocks.11:12@mean`, `blocks.11:12@max` | its mean over all tokens; its maximum | 1 |
| `conv5:3-40`, `conv5:3-40@center` | a range of channels; each one at that place | 38 |
| `-conv5:3-40`, `conv5:-3-40`, `-conv5:3-40@4x4` | a range of channels, each minimised | 38 |
| `conv5:all` | every channel | all |
| `-conv5:all@max` | every channel, its maximum minimised | all |
| `conv5:3-conv5:40`, `conv5:40-conv5:3` | a difference: name the layer in both terms | 1 |
| `conv5:3+fc6:12`, `0.5*conv5:3@center-fc8:lemon` | terms in several layers, read in one pass | 1 |
| `conv5:12@6x6-conv5:3@center`, `conv5:3-conv5:40@4x4` | each term has a place of its own; without one, the mean | 1 |
| `fc6:cat.safetensors`, `-fc6:cat.npy` | along a direction that a file holds | 1 |
| `fc6:-0.5*cat.npy+fc6:12`, `conv5:dog.npy@max` | a direction in a sum; a direction at a place | 1 |
| `conv5:cat.jpg`, `-fc6:cat.jpg` | along the layer's values for an image; with `objective=match`, like them | 1 |
| `conv5:sae.safetensors#123`, `conv5:sae.safetensors#123@max` | a latent of a sparse autoencoder of that layer | 1 |
| `conv5:sae.safetensors#0-9`, `-conv5:sae.safetensors#0-9@center` | a range of latents | 10 |
| `conv5:sae.safetensors#3-conv5:sae.safetensors#4` | a difference of two latents | 1 |

Where a text could mean two things:

- A class name and a file that exists win over everything else: ranges, arithmetic, layers. The longest one wins.
- A range stands alone. Beside names, weights, places or a second layer a minus subtracts. `3-40-50` could be either and
  is an error, and so is a range at a layer whose class names are numbers other than the elements' own.
- A sign belongs to its term, not to the sum: `-lemon-orange` minimises both.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dgn.base.errors import UserError
from dgn.units import directions
from dgn.units.names import ClassNames

WEIGHT = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
LAYER = r"[\w.]+(?:@\w+)?"  # "@cls" makes a vector of a layer of tokens
INDEX = r"[0-9]{1,9}"
LAYER_PREFIX = re.compile(rf"({LAYER}):\s*")
SIGN_AND_WEIGHT = re.compile(rf"\s*([+-]?)\s*(?:({WEIGHT})\s*\*)?\s*")
RANGE = re.compile(
    rf"(?:(?P<outer>{LAYER}):)?\s*(?P<sign>[+-]?)\s*(?:(?P<inner>{LAYER}):)?\s*"
    rf"(?P<file>[^#]+#)?(?P<members>(?P<first>{INDEX})\s*-\s*(?P<last>{INDEX})|[Aa]ll|ALL)(?:@(?P<place>\w*))?"
)
LATENT = re.compile(rf"(?P<file>.+)#(?P<number>{INDEX})")
NUMBERS = re.compile(rf"(?:{LAYER}:)?\s*[+-]?\s*(?:{LAYER}:)?\s*(?P<sum>{INDEX}(?:\s*[+-]\s*{INDEX})+)(?:@\w*)?")
NO_UNIT = "there is no unit: set, for example, 'units=[lemon,12]'"


@dataclass(frozen=True)
class Range:
    """Several elements, one unit each: FIRST-LAST, or all of a layer.

    Attributes:
        text: without the layer.
        layer: None for the default layer.
        file: of the sparse autoencoder whose latents they are, or None.
        minimised: whether a minus stands in front.
        first, last: the ends, which both belong to it; None for all elements.
        place: what follows the @, or None.
    """

    text: str
    layer: str | None
    file: str | None
    minimised: bool
    first: int | None
    last: int | None
    place: str | None


@dataclass(frozen=True)
class Part:
    """One term of a sum.

    Attributes:
        text: with its sign, weight and place, without its layer.
        layer: None for the default layer.
        weight: with its sign.
        element: a class name, a number, a file or a latent in one; or an unknown word.
        place: what follows the @, or None.
    """

    text: str
    layer: str | None
    weight: float
    element: str
    place: str | None


def layers_of(items: Sequence[str | int] | str | int, classes: Sequence[str] | None, default: str) -> list[str]:
    """The layers that units are read at, in the order in which they are named.

    Args:
        items: texts of units, or a single one.
        classes: names of the network's outputs.
        default: the layer of terms that name none.

    Raises UserError if there is no unit.
    """
    names = ClassNames(classes or [])
    return list(dict.fromkeys(layer or default for item in as_list(items) for layer in _layers(read(item, names))))


def as_list(items: Sequence[str | int] | str | int) -> list[str]:
    """Texts of units from a list or from a single unit. Raises UserError if there is none."""
    texts = [str(item).strip() for item in (items if isinstance(items, list | tuple) else [items])]
    if not texts or not all(texts):
        raise UserError(NO_UNIT)
    return texts


def read(item: str, names: ClassNames) -> Range | list[Part]:
    """Parse a text into a range or the terms of a sum.

    A word that is no class name, number or file ends the sum and becomes the element of its last term.
    Raises UserError for an ambiguous text.
    """
    span = _range(item, names)
    if span:
        return span
    parts, complete = _terms(item, names)
    prefix = LAYER_PREFIX.match(item)
    if prefix and not complete and SIGN_AND_WEIGHT.match(item, prefix.end())[0].strip():  # type: ignore[index]
        parts, _ = _terms(item[prefix.end() :], names)  # as in conv5:-0.5*3
        if parts[0].layer:
            raise UserError(f"{item!r} has two layers for one term: remove one of them")
        parts[0] = replace(parts[0], layer=prefix[1])
    numbers = NUMBERS.fullmatch(item)
    if numbers and "-" in numbers["sum"] and len(parts) > 2 and all(re.fullmatch(INDEX, p.element) for p in parts):
        weighted = item.replace(numbers["sum"], f"1*{numbers['sum']}")
        raise UserError(f"{item!r} could be a range or a sum: set {weighted!r} for the sum")
    return [replace(part, layer=part.layer or parts[0].layer) for part in parts]


def _layers(unit: Range | list[Part]) -> list[str | None]:
    return [unit.layer] if isinstance(unit, Range) else [part.layer for part in unit]


def _range(item: str, names: ClassNames) -> Range | None:
    """The range in a text; None if it is no range, or is a class name."""
    match = RANGE.fullmatch(item)
    if not match or (match["outer"] and match["inner"]) or names.candidates(item) or names.candidates(match["members"]):
        return None
    file = match["file"] and match["file"][:-1]
    if file and not _is_file(file):
        return None
    first, last = (int(match["first"]), int(match["last"])) if match["first"] else (None, None)
    text = match["sign"] + item[match.start("file" if file else "members") :]
    return Range(text, match["outer"] or match["inner"], file, match["sign"] == "-", first, last, match["place"])


def _terms(item: str, names: ClassNames) -> tuple[list[Part], bool]:
    """The terms of a sum, and whether all are known; if not, the last one is the first that is unknown.

    The longest known text comes first, so that names and files keep their hyphens.
    """
    cuts = [match.start() for match in re.finditer(r"[-+]", item) if match.start()]
    starts, ends = [0, *cuts], [*cuts, len(item)]
    rest: dict[int, list[Part]] = {len(item): []}
    for start in reversed(starts):
        for end in (end for end in reversed(ends) if end > start and end in rest):
            if part := _known_term(item[start:end], names, first=not start):
                rest[start] = [part, *rest[end]]
                break
    if 0 in rest:
        return rest[0], True
    known: dict[int, list[Part]] = {0: []}
    for start in (start for start in starts if start in known):
        for end in (end for end in ends if end > start):
            if part := _known_term(item[start:end], names, first=not start):
                known.setdefault(end, [*known[start], part])
    furthest = max(known)
    return [*known[furthest], _unknown_term(item[furthest:], names)], False


def _known_term(text: str, names: ClassNames, first: bool) -> Part | None:
    """The term in a text, or None if its element is unknown.

    In the first term a sign may belong to the class name; in others it connects the terms.
    """
    if first and names.candidates(text.strip()):
        return Part(text, None, 1.0, text.strip(), None)
    sign, weight, begin = head(text)
    after_sign = text.strip().removeprefix(sign).strip()
    if names.candidates(after_sign):
        return Part(text, None, float(f"{sign}1"), after_sign, None)
    body = text[begin:].rstrip()
    if element := _element(body, names):
        return Part(text, None, weight, *element)
    prefix = LAYER_PREFIX.match(body)
    if prefix and (element := _element(body[prefix.end() :], names)):
        return Part(text[:begin] + text[begin + prefix.end() :], prefix[1], weight, *element)
    return None


def head(text: str) -> tuple[str, float, int]:
    """The sign of a term, its weight with the sign, and where the rest of its text begins."""
    head = SIGN_AND_WEIGHT.match(text)
    assert head is not None  # it matches any text
    return head[1], float(f"{head[1]}{head[2] or 1}"), head.end()


def _element(text: str, names: ClassNames) -> tuple[str, str | None] | None:
    """An element that exists and its place, or None."""
    if _exists(text, names):
        return text, None
    name, at, place = text.rpartition("@")
    return (name, place) if at and re.fullmatch(r"\w*", place) and _exists(name, names) else None


def _exists(element: str, names: ClassNames) -> bool:
    latent = LATENT.fullmatch(element)
    is_file = _is_file(latent["file"] if latent else element)
    return is_file or bool(names.candidates(element) or re.fullmatch(INDEX, element))


def _is_file(name: str) -> bool:
    return name.endswith(directions.SUFFIXES) and os.path.isfile(os.path.expanduser(name))


def _unknown_term(text: str, names: ClassNames) -> Part:
    """The unknown term that a text begins with: a file that is missing, a misspelt name, or else the first word."""
    _, weight, begin = head(text)
    ends = [match.start() for match in re.finditer(r"[-+]", text) if match.start() > begin] + [len(text)]
    bodies = [text[begin:end].strip() for end in ends]
    latent = LATENT.match(bodies[-1])
    is_file = (latent["file"] if latent else bodies[-1]).endswith(directions.SUFFIXES)
    is_file = is_file and not re.search(r"[*+]", bodies[-1])
    body = bodies[-1] if is_file else max(bodies[:8], key=names.likeness)  # the first, if it is like no name
    prefix = LAYER_PREFIX.match(body)
    element = body[prefix.end() :] if prefix else body
    return Part(text, prefix[1] if prefix else None, weight, element or text.strip(), None)
