"""A finished run, read from its folder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from dgn import settings
from dgn.base import images
from dgn.base.errors import UserError, first_line
from dgn.base.typed import validated
from dgn.data.loader import BATCH
from dgn.networks import zoo
from dgn.networks.settings import NetworkSettings
from dgn.report import results
from dgn.sweeps import jobs
from dgn.units.parsing import parse
from dgn.units.terms import Unit

IDENTITY = ("name", "_target_", "args", "weights", "classes")  # of a network: never another one's


@dataclass(frozen=True)
class Finished:
    """A finished run of `dgn synthesize`.

    Attributes:
        about: its manifest.
        config: its settings as plain values, not checked; see `completed`.
        rows: in the order of its table, one per picture.
    """

    folder: Path
    about: Mapping[str, Any]
    config: Mapping[str, Any]
    rows: list[results.Row]

    @classmethod
    def read(cls, folder: Path) -> "Finished":
        """Read a run; UserError, one sentence, for a sweep, panels, a shard, what is not finished, or is no run."""
        if not folder.is_dir():
            raise UserError(f"there is no folder {folder}: give the folder of a finished run")
        if jobs.is_sweep(folder):
            points = sorted(path.parent for path in folder.glob("*/manifest.json"))
            which = f"such as {points[0]}" if points else "once they are finished"
            raise UserError(f"{folder} is a sweep: measure its points, {which}")
        config = completed(settings.read(folder) or {})
        if panels := results.panels(config):
            raise UserError(f"{folder} has panels: measure them, {' '.join(str(folder / name) for name in panels)}")
        about = results.about(folder)
        if about.get("shard"):
            raise UserError(f"{folder} is the shard {about['shard']}: merge the shards first, dgn report merge")
        rows = results.read(folder / "results.csv")
        if not rows:
            raise UserError(f"{folder} has no pictures: measure another run")
        for row in rows:
            if not (folder / row.image).is_file():
                raise UserError(f"{folder / row.image} is missing: repeat the run, then measure it")
        return cls(folder, about, config, rows)

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.folder.resolve().name

    @property
    def units(self) -> list[str]:
        """The unit of each picture: pictures of one unit are alike."""
        return [row.unit for row in self.rows]

    @cached_property
    def classes(self) -> list[str | None]:
        """The class that each picture was made for; None where its unit is no single class that is maximised."""
        names = self._outputs()
        by_unit = {row.unit: _class(row, names) for row in self.rows}
        return [by_unit[row.unit] for row in self.rows]

    def _outputs(self) -> list[str]:
        """The names of the target's outputs; none where it had none, or where its file of them is gone."""
        if "classes" not in self.about.get("contents", {}) or "target" not in self.config:
            return []
        try:
            return zoo.classes(validated(NetworkSettings, self.config["target"], "target.")) or []
        except UserError:
            return []

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W) of a picture, pixels."""
        return tuple(images.saved(self.folder / self.rows[0].image).shape)

    @cached_property
    def codes(self) -> Tensor:
        """The final codes, (N, *code_shape), in the order of the rows; UserError where their file is gone."""
        path = self.folder / "codes.safetensors"
        try:
            return load_file(path)["codes"]
        except (OSError, SafetensorError, KeyError) as error:
            raise UserError(f"{path} cannot be read ({first_line(error)}): repeat the run") from None

    def batches(self, count: int = BATCH) -> Iterator[Tensor]:
        """The pictures (N, C, H, W) in [0, 1] as they are saved, 8 bits a channel, in the order of the rows."""
        for start in range(0, len(self.rows), count):
            part = self.rows[start : start + count]
            yield torch.stack([images.saved(self.folder / row.image) for row in part])


def _class(row: results.Row, names: list[str]) -> str | None:
    """The class that a row's unit maximises, as `Target.wanted` has it; only an output's row has a rank."""
    if row.rank is None or not names:
        return None
    unit = _parsed(row.unit, names)
    if unit is None or unit.channel is None or unit.terms[0].weight < 0:
        return None
    name = names[unit.channel]
    return name if names.count(name) == 1 else None


def _parsed(text: str, names: list[str]) -> Unit | None:
    try:
        return parse([text], (len(names),), names)[0]
    except UserError:  # other names than those of the run
        return None


def completed(config: Mapping[str, Any]) -> dict[str, Any]:
    """A run's settings, and those that came to dgn after it, at their defaults: so it did without them."""
    if not config:
        return {}
    default = settings.plain(settings.composed("synthesize").config)
    whole = {**default, **config}
    for role in ("target", "judge"):
        if isinstance(network := config.get(role), Mapping):
            new = {key: value for key, value in default["target"].items() if key not in IDENTITY}
            whole[role] = {**new, **network}
    return whole
