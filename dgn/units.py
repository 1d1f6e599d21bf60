"""Text to units to scores: 'volcano', '945', '0-99', 'all', '-goldfish', 'conv5:12', 'conv5:12@6x6'."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dgn.errors import UserError, nearest

LAYER = re.compile(r"(-?)([^\s:]+):(.+)")
CHANNEL = re.compile(r"(-?)(\d+)(?:@(\d+)x(\d+))?")
RANGE = re.compile(r"(\d+)-(\d+)")


@dataclass(frozen=True)
class Unit:
    """One thing to climb.

    Attributes:
        text: as typed, or as it would be typed for a member of a range.
        label: for people: the class name where there is one.
        sign: +1 to maximise, −1 to minimise.
        channel: element of a vector or channel of a map.
        position: (row, column) in a map; None for the mean over all positions, and for vectors.
    """

    text: str
    label: str
    sign: int
    channel: int
    position: tuple[int, int] | None


def from_file(path: Path | str) -> list[str]:
    """The lines of a text file; blank ones and what follows a # are left out."""
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"units_file {path} cannot be read ({error})") from None
    return [line for line in (line.split("#")[0].strip() for line in lines) if line]


def split_layer(items: Any) -> tuple[str | None, list[str]]:
    """Items without their 'layer:' prefix, and the layer that they name, or None; a bare item is a list of one."""
    items = [str(item).strip() for item in (items if isinstance(items, list | tuple) else [items])]
    if not items:
        raise UserError("no unit is named: type 'units=[volcano,12]'")
    layers, rest = set(), []
    for item in items:
        match = LAYER.fullmatch(item)
        layers.add(match[2] if match else None)
        rest.append(match[1] + match[3] if match else item)
    if len(layers) > 1:
        named = ", ".join(sorted(str(layer or "no layer") for layer in layers))
        raise UserError(f"the units of one run are read at one layer, not at {named}: start a run for each")
    return layers.pop(), rest


def parse(items: Sequence[str], shape: Sequence[int], classes: Sequence[str] | None) -> list[Unit]:
    """Units of a layer whose activation has `shape` ((D,) or (C, H, W)) and whose elements may have names.

    Raises UserError with the nearest names, or the range of indices, for what is not a unit.
    """
    names = Names(classes or [])
    return [unit for item in items for unit in _one(str(item), tuple(shape), names)]


class Names:
    """Class names, found whatever their case, apostrophes, commas, hyphens and underscores; any synonym will do."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = classes
        self.index: dict[str, int] = {}
        for whole in (False, True):  # a full name wins over another class's synonym
            for i, name in reversed(list(enumerate(classes))):
                for form in [name] if whole else name.split(","):
                    self.index[self.plain(form)] = i

    @staticmethod
    def plain(name: str) -> str:
        """A name as it is compared."""
        return " ".join(re.sub(r"[-_,]", " ", re.sub(r"['’`\"]", "", name.lower())).split())

    def find(self, name: str) -> int | None:
        """The index of a name, or None."""
        return self.index.get(self.plain(name))

    def label(self, channel: int) -> str:
        """The name of an element, or its number."""
        return self.classes[channel].split(",")[0] if channel < len(self.classes) else str(channel)


def _one(item: str, shape: tuple[int, ...], names: Names) -> list[Unit]:
    count = shape[0]
    if (channel := names.find(item)) is not None and not item.startswith("-"):
        return [Unit(item, names.label(channel), 1, channel, None)]
    if item.startswith("-") and (channel := names.find(item[1:])) is not None:
        return [Unit(item, f"not {names.label(channel)}", -1, channel, None)]
    if item == "all":
        return [Unit(str(i), names.label(i), 1, i, None) for i in range(count)]
    if match := RANGE.fullmatch(item):
        first, last = int(match[1]), int(match[2])
        _inside(item, max(first, last), count)
        if first > last:
            raise UserError(f"the range {item!r} is empty: type {last}-{first}")
        return [Unit(str(i), names.label(i), 1, i, None) for i in range(first, last + 1)]
    if match := CHANNEL.fullmatch(item):
        return [_numbered(item, match, shape, names)]
    if not names.classes:
        raise UserError(f"there is no unit {item!r}: this layer has no names, type an index from 0 to {count - 1}")
    raise UserError(f"there is no unit {item!r}: {nearest(item.lstrip('-'), names.classes)}")


def _numbered(item: str, match: re.Match, shape: tuple[int, ...], names: Names) -> Unit:
    channel = int(match[2])
    _inside(item, channel, shape[0])
    position = None
    if match[3] is not None:
        if len(shape) != 3:
            raise UserError(f"{item!r} names a position, but this layer is a vector: type {channel}")
        position = int(match[3]), int(match[4])
        if position[0] >= shape[1] or position[1] >= shape[2]:
            last = f"rows go to {shape[1] - 1}, columns to {shape[2] - 1}"
            raise UserError(f"{item!r} is outside this layer's map: {last}")
    label = names.label(channel) if len(shape) == 1 else item.lstrip("-")
    return Unit(item, f"not {label}" if match[1] else label, -1 if match[1] else 1, channel, position)


def _inside(item: str, channel: int, count: int) -> None:
    if channel >= count:
        raise UserError(f"there is no unit {item!r}: this layer has {count}, from 0 to {count - 1}")


def scorer(units: Sequence[Unit]) -> Callable[[Tensor], Tensor]:
    """Activation (N, D) or (N, C, H, W), row i for `units[i]`, to scores (N,): differentiable, rows apart.

    A channel of a map without a position is scored by its mean over all positions.
    """
    rows = torch.arange(len(units))
    channel = torch.tensor([unit.channel for unit in units])
    sign = torch.tensor([unit.sign for unit in units])
    whole = torch.tensor([unit.position is None for unit in units])
    place = torch.tensor([unit.position or (0, 0) for unit in units])

    def score(activation: Tensor) -> Tensor:
        own = activation[rows.to(activation.device), channel.to(activation.device)]
        if activation.ndim == 4:
            at = own[rows.to(own.device), place[:, 0].to(own.device), place[:, 1].to(own.device)]
            own = torch.where(whole.to(own.device), own.flatten(1).mean(1), at)
        return own * sign.to(own.device)

    return score
