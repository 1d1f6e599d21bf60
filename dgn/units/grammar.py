"""Text to units: 'volcano', '945', '0-99', 'all', '-goldfish', 'conv5:12@6x6', '0.5*volcano+0.5*goldfish'.

A unit is a sum of terms; a term is a weight, an element of the layer (or a direction in it) and a place.
`docs/networks.md` shows every form.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from dgn.base.errors import UserError, nearest
from dgn.networks import weights
from dgn.units.names import Names

NUMBER = r"\d+\.?\d*(?:[eE][+-]?\d+)?"
LAYER = re.compile(rf"([+-]?\s*(?:{NUMBER}\s*\*\s*)?)([^\s:]+):(.+)", re.DOTALL)
TERM = re.compile(rf"([+-]?)\s*((?:({NUMBER})\s*\*)?\s*(.*?)\s*)", re.DOTALL)
RANGE = re.compile(r"(?:(\d{1,9})\s*-\s*(\d{1,9})|all)(?:@(\w+))?")
FILES = (".safetensors", ".pt", ".pth", ".npy")
NOTHING = "no unit is named: type 'units=[volcano,12]'"


@dataclass(frozen=True, eq=False)
class Term:
    """One part of a unit.

    Attributes:
        weight: factor on its value; negative to minimise.
        channel: element of a vector or of a token, or channel of a map; None for a direction.
        place: position in a map, row by row, or number of a token; "mean" or "max" over all of them. 0 in a vector.
        direction: (channels,) weights of a direction that a file holds, or None.
        label: for people: the class name where there is one.
    """

    weight: float
    channel: int | None
    place: int | str
    direction: Tensor | None
    label: str


@dataclass(frozen=True, eq=False)
class Unit:
    """One thing to climb: the sum of its terms.

    Attributes:
        text: as typed, or as it would be typed for a member of a range.
        label: for people.
        terms: at least one.
    """

    text: str
    label: str
    terms: tuple[Term, ...]

    @property
    def channel(self) -> int | None:
        """The one element that this unit is about; None for a sum and for a direction."""
        return self.terms[0].channel if len(self.terms) == 1 else None


def from_file(path: Path | str) -> list[str]:
    """The lines of a text file; blank ones and what follows a # are left out."""
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"units_file {path} cannot be read ({error})") from None
    return [line for line in (line.split("#")[0].strip() for line in lines) if line]


def split_layer(items: Any) -> tuple[str | None, list[str]]:
    """Items without their 'layer:' prefixes, and the layer that they name, or None; a bare item is a list of one."""
    items = [str(item).strip() for item in (items if isinstance(items, list | tuple) else [items])]
    if not items:
        raise UserError(NOTHING)
    layers: set[str | None] = set()
    rest = []
    for item in items:
        match = LAYER.fullmatch(item)
        layers.add(match[2] if match else None)
        if match:
            item = match[1] + re.sub(rf"(?<=[-+*])(\s*){re.escape(match[2])}:", r"\1", match[3])
            layers.update(re.findall(r"[-+*]\s*([\w.]+):", item))
        rest.append(item)
    if len(layers) > 1:
        named = ", ".join(sorted(str(layer or "no layer") for layer in layers))
        raise UserError(f"the units of one run are read at one layer, not at {named}: start a run for each")
    return layers.pop(), rest


def parse(items: Sequence[str], shape: Sequence[int], classes: Sequence[str] | None) -> list[Unit]:
    """Units of a layer whose activation has `shape` and whose elements may have names.

    `shape` is (D,) of a vector, (C, H, W) of a map or (T, D) of a sequence of tokens. Raises UserError with the nearest
    names, or the range of indices, for what is not a unit.
    """
    layer = _Layer(tuple(shape), Names(classes or []))
    return [unit for item in items for unit in layer.units(str(item).strip())]


class _Layer:
    """What a text can mean at one layer."""

    def __init__(self, shape: tuple[int, ...], names: Names) -> None:
        self.shape, self.names = shape, names
        self.count = shape[1] if len(shape) == 2 else shape[0]

    def units(self, item: str) -> list[Unit]:
        """The units of one item: a range gives several. A name wins over a range, and a range over a difference."""
        if not item:
            raise UserError(NOTHING)
        match = RANGE.fullmatch(item)
        if match and self.names.find(item) is None:
            first, last = (int(match[1]), int(match[2])) if match[1] else (0, self.count - 1)
            self._inside(item, max(first, last))
            if first > last:
                raise UserError(f"the range {item!r} is empty: type {last}-{first}")
            at = f"@{match[3]}" if match[3] else ""
            return [self._unit(text, [text]) for text in (f"{self._typed(i)}{at}" for i in range(first, last + 1))]
        return [self._unit(item, self._split(item))]

    def _typed(self, channel: int) -> str:
        """A channel as it would be typed: by its number, where that is not the name of another one."""
        number = str(channel)
        return number if self.names.find(number) in {None, channel} else self.names.classes[channel]

    def _unit(self, text: str, pieces: Sequence[str]) -> Unit:
        terms = tuple(self._term(piece) for piece in pieces)
        return Unit(text, _label(terms), terms)

    def _split(self, item: str) -> Sequence[str]:
        """The terms of a sum, as texts: the longest piece that has a meaning comes first, so names keep their hyphens.

        Raises the error of the piece that has none.
        """
        cuts = [match.start() for match in re.finditer(r"[-+]", item) if match.start()] + [len(item)]
        pieces: list[str] = []
        tried: set[int] = set()
        furthest = 0, item

        def fits(start: int) -> bool:
            nonlocal furthest
            if start == len(item):
                return True
            if start in tried:
                return False
            tried.add(start)
            for cut in reversed([cut for cut in cuts if cut > start]):
                if self._known(item[start:cut]):
                    pieces.append(item[start:cut])
                    if fits(cut):
                        return True
                    pieces.pop()
            if start > furthest[0]:
                furthest = start, item[start : min(cut for cut in cuts if cut > start)]
            return False

        if not fits(0):
            self._term(furthest[1])
        return pieces

    def _known(self, piece: str) -> bool:
        try:
            self._term(piece)
        except UserError:
            return False
        return True

    def _term(self, piece: str) -> Term:
        """One term from its text, with its sign and weight; UserError if it has no meaning at this layer."""
        sign, rest, factor, name = TERM.fullmatch(piece).groups()  # type: ignore[union-attr]  # it takes any text
        if self.names.find(piece) is not None:
            sign, factor, name = "", "", piece
        elif self.names.find(rest) is not None:
            factor, name = "", rest
        weight = (-1.0 if sign == "-" else 1.0) * float(factor or 1)
        if not math.isfinite(weight):
            raise UserError(f"the weight in {piece.strip()!r} is too large")
        channel, at = self.names.find(name), None
        if channel is None:
            name, mark, place = name.partition("@")
            at = place if mark else None
            channel = self.names.find(name)
        if channel is None and re.fullmatch(r"[0-9]{1,9}", name):
            channel = int(name)
            self._inside(name, channel)
        direction = _direction(name, self.count) if channel is None and name.endswith(FILES) else None
        if channel is None and direction is None:
            self._unknown(name or piece)
        label = Path(name).stem if channel is None else self.names.label(channel)
        if len(self.shape) > 1 and at:
            label = f"{label}@{at}"
        return Term(weight, channel, self._place(name, at), direction, label)

    def _place(self, name: str, at: str | None) -> int | str:
        if len(self.shape) == 1:
            if at is not None:
                raise UserError(f"'{name}@{at}' names a position, but this layer is a vector: type {name}")
            return 0
        if at in {None, "mean", "max"}:
            return at or "mean"
        if len(self.shape) == 2:
            place = "0" if at == "cls" else str(at)
            if not re.fullmatch(r"[0-9]{1,9}", place):
                raise UserError(f"'{name}@{at}' is no token: type @cls, @0 to @{self.shape[0] - 1}, @mean or @max")
            if int(place) >= self.shape[0]:
                raise UserError(f"'{name}@{at}' is outside this layer's tokens: they go to {self.shape[0] - 1}")
            return int(place)
        _, height, width = self.shape
        match = re.fullmatch(r"([0-9]{1,9})x([0-9]{1,9})", str(at))
        if at != "center" and not match:
            raise UserError(f"'{name}@{at}' is no place in a map: type @ROWxCOLUMN, @center, @mean or @max")
        row, column = (int(match[1]), int(match[2])) if match else (height // 2, width // 2)
        if row >= height or column >= width:
            last = f"rows go to {height - 1}, columns to {width - 1}"
            raise UserError(f"'{name}@{at}' is outside this layer's map: {last}")
        return row * width + column

    def _inside(self, name: str, channel: int) -> None:
        if channel >= self.count:
            raise UserError(f"there is no unit {name!r}: this layer has {self.count}, from 0 to {self.count - 1}")

    def _unknown(self, name: str) -> None:
        if not self.names.classes:
            last = self.count - 1
            raise UserError(f"there is no unit {name!r}: this layer has no names, type an index from 0 to {last}")
        raise UserError(f"there is no unit {name!r}: {nearest(name.lstrip('-'), self.names.classes)}")


def _label(terms: Sequence[Term]) -> str:
    """Terms for people: 'goldfish', 'not goldfish', '0.5 volcano + 0.5 goldfish', 'volcano − goldfish'."""
    if len(terms) == 1 and terms[0].weight == -1:
        return f"not {terms[0].label}"
    words = []
    for i, term in enumerate(terms):
        sign = "− " if term.weight < 0 else "+ " if i else ""
        size = "" if abs(term.weight) == 1 else f"{abs(term.weight):g} "
        words.append(f"{sign}{size}{term.label}")
    return " ".join(words)


def _direction(name: str, count: int) -> Tensor:
    """The one tensor of a file, or the one that is called "direction" there: (count,), as it is, not normalised."""
    path = Path(name).expanduser()
    if not path.is_file():
        raise UserError(f"there is no file {path} that could hold a direction")
    if path.suffix == ".npy":
        try:
            found = torch.from_numpy(np.load(path, allow_pickle=False))
        except (OSError, ValueError, TypeError, EOFError, BadZipFile) as error:
            raise UserError(f"{path} holds no direction that can be read ({error})") from None
    else:
        held = weights.read(path)
        if "direction" not in held and len(held) != 1:
            raise UserError(f"{path} holds {len(held)} tensors: call the one that is meant 'direction'")
        found = held.get("direction", next(iter(held.values())))
    if tuple(found.shape) != (count,):
        raise UserError(f"the direction in {path} is of shape {tuple(found.shape)}, this layer has {count} channels")
    if not torch.isfinite(found).all() or not found.any():
        raise UserError(f"the direction in {path} is zero or not finite")
    return found.float()
