"""Texts to units, at one layer or at several."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dgn.units.elements import Elements
from dgn.units.grammar import NUMBERS, Part, Range, as_list, head, read
from dgn.units.names import ClassNames
from dgn.units.terms import Term, Unit, label


def parse(
    items: Sequence[str | int] | str | int,
    shape: Sequence[int],
    classes: Sequence[str] | None,
    layer: str | None = None,
    network: str | None = None,
) -> list[Unit]:
    """The units that texts name at one layer; the grammar is in `dgn.units.grammar`.

    Args:
        items: texts; a range gives several units.
        shape: of the layer's activation: (D,) of a vector, (C, H, W) of a map, (T, D) of a sequence of tokens.
        classes: names of the elements, or None.
        layer, network: their names, for messages: the network's as `dgn networks NAME` takes it.

    Raises UserError for a text that is not a unit, with the nearest names or the allowed numbers.
    """
    return parse_in(items, {"": Elements(shape, classes, layer, network)}, classes, "")


def parse_in(
    items: Sequence[str | int] | str | int,
    layers: Mapping[str, Elements],
    classes: Sequence[str] | None,
    default: str,
) -> list[Unit]:
    """The units that texts name at several layers. At a single one, a layer in a text is not looked at.

    Args:
        items: texts; a range gives several units.
        layers: what texts mean at each.
        classes: the names by which texts are taken apart, or None.
        default: the layer of terms that name none.

    Raises UserError as `parse` does.
    """
    names = ClassNames(classes or [])
    return [_unit(parts, layers, default) for item in as_list(items) for parts in _sums(item, layers, names, default)]


def _sums(item: str, layers: Mapping[str, Elements], names: ClassNames, default: str) -> list[list[Part]]:
    """The terms of each unit that a text names."""
    parsed = read(item, names)
    if isinstance(parsed, Range):
        return [[part] for part in _at(parsed.layer, layers, default)[1].members(parsed)]
    return [parsed]


def _at(layer: str | None, layers: Mapping[str, Elements], default: str) -> tuple[str, Elements]:
    name = next(iter(layers)) if len(layers) == 1 else layer or default
    return name, layers[name]


def _unit(parts: Sequence[Part], layers: Mapping[str, Elements], default: str) -> Unit:
    several = len(layers) > 1
    text = "".join(map(_with_layer, parts) if several else (part.text for part in parts)).strip()
    numbers = NUMBERS.fullmatch(text)
    if numbers and "-" in numbers["sum"] and len(parts) > 1:  # without its layers it would be a range
        text = f"{text[: numbers.start('sum')]}1*{text[numbers.start('sum') :]}"
    terms = tuple(_term(part, *_at(part.layer, layers, default), several) for part in parts)
    return Unit(text, label(terms), terms)


def _with_layer(part: Part) -> str:
    begin = head(part.text)[2]
    return part.text if part.layer is None else f"{part.text[:begin]}{part.layer}:{part.text[begin:]}"


def _term(part: Part, layer: str, elements: Elements, several: bool) -> Term:
    term = elements.term(part)
    if not several:
        return term
    return replace(term, layer=layer, label=term.label if part.layer is None else f"{layer}:{term.label}")
