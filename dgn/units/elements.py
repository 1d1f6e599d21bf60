"""What texts mean at one layer: its elements by name and number, and its places."""

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from dgn.base.errors import UserError
from dgn.units import directions, latents
from dgn.units.grammar import INDEX, LATENT, WEIGHT, Part, Range
from dgn.units.names import SIGNS, ClassNames
from dgn.units.terms import Term


class Elements:
    """The elements of one layer.

    Args:
        shape: of its activation: (D,) of a vector, (C, H, W) of a map, (T, D) of a sequence of tokens.
        classes: names of the elements, or None.
        layer, network: their names, for messages: the network's as `dgn networks NAME` takes it.
        see: gives the layer's values for the image in a file; None where units of images are not read.
    """

    def __init__(
        self,
        shape: Sequence[int],
        classes: Sequence[str] | None,
        layer: str | None = None,
        network: str | None = None,
        see: Callable[[Path], Tensor] | None = None,
    ) -> None:
        self.shape, self.names, self.layer, self.network = tuple(shape), ClassNames(classes or []), layer, network
        self.count = self.shape[1] if len(self.shape) == 2 else self.shape[0]
        self.see = see
        self._encoders: dict[str, latents.Encoder] = {}

    def members(self, span: Range) -> list[Part]:
        """A term for each element of a range."""
        sign, at = "-" * span.minimised, "" if span.place is None else f"@{span.place}"
        count = len(self._encoder(span.file).weight) if span.file else self.count
        first, last = span.first or 0, count - 1 if span.last is None else span.last
        if span.file:
            self._encoder(span.file).latent(max(first, last))  # raises for one that is not there
        else:
            self._check_index(span.text, max(first, last))
        if first > last:
            ends = f"{span.file}#{last}-{first}" if span.file else f"{last}-{first}"
            difference = "" if span.file else f", or {sign}1*{first}-{last} for a difference"
            raise UserError(f"the range {span.text!r} is empty: set {sign}{ends}{difference}")
        if not span.file and span.last is not None and any(self._is_another_name(end) for end in (first, last)):
            raise UserError(f"the range {span.text!r} is ambiguous, because some class names of this layer are "
                            "numbers of other classes: set single names, or units=all")  # fmt: skip
        elements = [f"{span.file}#{i}" if span.file else self._member(i) for i in range(first, last + 1)]
        return [Part(f"{sign}{element}{at}", span.layer, float(f"{sign}1"), element, span.place)
                for element in elements]  # fmt: skip

    def _encoder(self, file: str) -> latents.Encoder:
        if file not in self._encoders:
            self._encoders[file] = latents.read(file, self.count)
        return self._encoders[file]

    def _is_another_name(self, channel: int) -> bool:
        """Whether the number of an element is the class name of another one."""
        return self.names.candidates(str(channel)) not in ([], [channel])

    def _member(self, channel: int) -> str:
        """How an element is written: with its number, or with its name where the number is another one's name."""
        element = self.names.classes[channel] if self._is_another_name(channel) else str(channel)
        if self.names.candidates(element) not in ([], [channel]):
            raise UserError(f"cannot name element {channel}: several classes are called {element!r}, and another class "
                            f"is called {channel}; set unique names in target.classes")  # fmt: skip
        return element

    def term(self, part: Part) -> Term:
        """What one term means here; UserError for what is no element or place of this layer."""
        if not math.isfinite(part.weight) or part.weight == 0:
            size = "zero" if part.weight == 0 else "too large"
            raise UserError(f"the weight in {part.text.strip()!r} is {size}: set a finite number other than zero")
        channel, place = self._channel(part.element), self._place(part.element, part.place)
        direction, offset = None, None
        if channel is not None:
            label = self.names.label(channel)
        elif latent := LATENT.fullmatch(part.element):
            direction, offset = self._encoder(latent["file"]).latent(int(latent["number"]))
            direction, label = direction[:, None], f"{Path(latent['file']).stem}#{latent['number']}"
        else:
            direction, label = directions.read(part.element, self.shape, self.see), Path(part.element).stem
            if direction.shape[1] > 1 and part.place is None:
                place = "every"
            elif direction.shape[1] > 1:
                direction = directions.at(direction, place)
        if len(self.shape) > 1 and part.place:
            label = f"{label}@{part.place}"
        return Term(part.weight, channel, place, direction, label, offset=offset)

    def _channel(self, element: str) -> int | None:
        """The number of an element that is a class name or a number; None for a file."""
        named = self.names.candidates(element)
        if len(named) > 1:
            numbers = ", ".join(map(str, named))
            raise UserError(f"{len(named)} classes are called {element!r}: set one of their indices, {numbers}")
        if named:
            return named[0]
        if re.fullmatch(INDEX, element):
            self._check_index(element, int(element))
            return int(element)
        latent = LATENT.fullmatch(element)
        if (latent["file"] if latent else element).endswith(directions.SUFFIXES):
            return None
        if element[:1] in SIGNS:
            raise UserError(f"there is no unit {element!r}: set one sign per term, before its element")
        last = self.count - 1
        if mended := _mended(element):
            raise UserError(f"there is no unit {element!r}: {mended}")
        if self.names.classes:
            listed = f" (list all class names with dgn networks {self.network} --classes)" if self.network else ""
            raise UserError(f"there is no unit {element!r}: {self.names.suggestion(element)}{listed}")
        naming = ", or class names by target.classes=FILE or target.classes=[a,b,c]"
        raise UserError(f"there is no unit {element!r}, because this layer has no class names: set an index from 0 to "
                        f"{last}" + naming * (len(self.shape) == 1))  # fmt: skip

    def _check_index(self, text: str, index: int) -> None:
        if index >= self.count:
            where = f" in the layer {self.layer}" if self.layer else ""
            raise UserError(f"there is no unit {text!r}{where}: set an index from 0 to {self.count - 1}")

    def _place(self, element: str, place: str | None) -> int | str:
        """A place as `Term` has it."""
        if len(self.shape) == 1:
            if place is not None:
                raise UserError(f"'{element}@{place}' has a position, but this layer is a vector: set {element}")
            return 0
        if place in {None, "mean", "max"}:
            return place or "mean"
        return self._token(element, str(place)) if len(self.shape) == 2 else self._position(element, str(place))

    def _token(self, element: str, place: str) -> int:
        number = "0" if place == "cls" else place
        if not re.fullmatch(INDEX, number):
            last = self.shape[0] - 1
            raise UserError(f"'{element}@{place}' is not a token: set @cls, @0 to @{last}, @mean or @max")
        if int(number) >= self.shape[0]:
            raise UserError(f"'{element}@{place}' is not a token of this layer: set @0 to @{self.shape[0] - 1}")
        return int(number)

    def _position(self, element: str, place: str) -> int:
        _, height, width = self.shape
        match = re.fullmatch(rf"({INDEX})x({INDEX})", place)
        if place != "center" and not match:
            raise UserError(f"'{element}@{place}' is not a position: set @ROWxCOLUMN, @center, @mean or @max")
        row, column = (int(match[1]), int(match[2])) if match else (height // 2, width // 2)
        if row >= height or column >= width:
            ends = f"set a row from 0 to {height - 1} and a column from 0 to {width - 1}"
            raise UserError(f"'{element}@{place}' is outside this layer's map: {ends}")
        return row * width + column


def _mended(element: str) -> str:
    """How to write what another language or a word processor writes otherwise; "" for anything else."""
    if dash := re.search("(?:^|[0-9 ])([\u2010-\u2015\u2212])", element):  # as in a page's label
        return f"a minus is written -, not {dash[1]}"
    if span := re.fullmatch(rf"({INDEX})\s*\.\.+\s*({INDEX})", element):
        return f"a range is written {span[1]}-{span[2]}"
    if fraction := re.fullmatch(r"([0-9.]+\s*/\s*[0-9.]+)\s*\*\s*(.+)", element):
        return f"a weight is a decimal number, such as 0.5*{fraction[2]}"
    if product := re.fullmatch(rf"(.+?)\s*\*\s*({WEIGHT})", element):
        return f"the weight comes first, {product[2]}*{product[1]}"
    if number := re.fullmatch(rf"({INDEX})\.0*", element):
        return f"an index is a whole number, {number[1]}"
    if spaced := re.fullmatch(r"(.+?)\s*@\s*(\w+)", element):
        return f"a position follows without spaces, {spaced[1]}@{spaced[2]}"
    if element.lower() == "all":
        return "all stands alone, for every element, or with a minus in front, -all"
    return ""
