"""The choices on the page, and the same as settings of dgn synthesize."""

import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from hydra.errors import HydraException
from omegaconf import OmegaConf

from dgn import settings
from dgn.base.errors import UserError
from dgn.networks import zoo
from dgn.networks.settings import NetworkSettings
from dgn.networks.summary import Layer, layers
from dgn.networks.weights_file import find
from dgn.synthesis.api import configure
from dgn.synthesis.settings import SynthesizeSettings
from dgn.units.grammar import as_list, layers_of
from dgn.units.names import ClassNames

MOST_UNITS = 1000  # in the list; every unit can be typed


@dataclass(frozen=True)
class Slider:
    """A number's range on the page; a default outside widens it."""

    label: str
    key: str
    least: float
    most: float
    by: float


SLIDERS = (
    Slider("step", "ascent.step", 0.05, 10, 0.05),
    Slider("steps", "ascent.steps", 10, 1000, 1),
    Slider("k, range of the code in std", "prior.k", 0.5, 10, 0.1),
    Slider("shrink", "prior.shrink", 0.9, 1, 0.001),
    Slider("transform strength", "ascent.transform_strength", 0, 2, 0.1),
)
GROUPS = {"start": ("noise", "mean", "real", "facets", "examples"), "objective": ("logit", "log_probability", "margin")}


class Choices:
    """Networks, layers, units, numbers and groups, for a page that was started with some settings.

    Attributes:
        networks: names; the first is the default.
        unit: the one to begin with.
    """

    def __init__(self, words: list[str]) -> None:
        self.words = words
        config, _ = configure(None, None, words)
        self.layers, self._network, self._of = cache(self._layers), cache(self._target), cache(self._composed)
        self.unit = as_list(config.units)[0]
        self._default = config.target.name
        chosen = any(word.startswith(("network@target=", "target._target_=")) for word in words)
        others = [] if chosen else [name for name in trained() if name != self._default]
        self.networks = [self._default, *others]

    def typed(self, network: str, layer: str, unit: str, values: Mapping[str, Any]) -> list[str]:
        """The choices as words of dgn synthesize: the unit, and whatever differs from the default.

        Keys that the config does not have are left out: the page sends even the sliders that it hides.
        """
        words = [] if network == self._default else [f"network@target={network}"]
        if layer != self._network(network).layer:
            words.append(f"target.layer={layer}")
        words += [f"units={listed(unit)}", "seeds=1", "batch_size=1"]
        defaults = self.defaults(network, values.get("start")) | {"start": self.defaults(network)["start"]}
        had = {key: default for key, default in defaults.items() if default is not None}
        changed = {k: v for k, v in values.items() if v is not None and k in had and v != had[k]}
        kept = [word for word in self.words if not word.startswith("units_file=")]  # it would outdo the unit
        return replaced(kept, dict(word.split("=", 1) for word in words) | changed)

    def units(self, network: str, layer: str) -> list[str]:
        """The units of a layer as they are typed: names if its elements have names, otherwise numbers."""
        (shape,) = [known.shape for known in self.layers(network) if known.name == layer] or [()]
        classes = zoo.classes(self._network(network)) if len(shape) == 1 else None
        if not classes or shape != (len(classes),):
            width = shape[-1] if len(shape) == 2 else (shape or (0,))[0]
            return [str(i) for i in range(min(width, MOST_UNITS))]
        names = ClassNames(classes)
        labels = [names.label(i) for i in range(len(classes))]
        return [label if names.find(label) == i else str(i) for i, label in enumerate(labels)]

    def layer_of(self, network: str, layer: str, unit: str) -> str:
        """The layer of a typed unit: the one that it names, if it is one and the network has it, otherwise `layer`."""
        with suppress(UserError):
            named = layers_of(unit, zoo.classes(self._network(network)), layer)
            if len(named) == 1 and named[0] in [known.name for known in self.layers(network)]:
                return named[0]
        return layer

    def _composed(self, network: str, start: str | None = None) -> tuple[SynthesizeSettings, dict[str, Any]]:
        words = [] if network == self._default else [f"network@target={network}"]
        kept = self.words if start is None else replaced(self.words, {"start": start})
        return configure(None, None, [*kept, *words])

    def _target(self, network: str) -> NetworkSettings:
        return self._of(network)[0].target

    def _layers(self, network: str) -> list[Layer]:
        target = self._network(network)
        return layers(zoo.module(target), zoo.contract(target))

    def defaults(self, network: str, start: str | None = None) -> dict[str, Any]:
        """The network's value of every slider's key and every group; None for a key that the config does not have.

        `start` is another choice of that group, which may set numbers, such as the step.
        """
        config, members = self._of(network, start)
        values = settings.counted(config.plain())
        numbers = {slider.key: values.get(slider.key) for slider in SLIDERS}
        return numbers | {group: members[group] for group in GROUPS} | {"seed": config.seed}

    def layer(self, network: str) -> str:
        """The network's default layer."""
        return str(self._network(network).layer)

    def compose(self, typed: list[str]) -> SynthesizeSettings:
        """The settings of `typed`; UserError, one sentence, for an invalid one."""
        return configure(None, None, typed)[0]


def trained() -> list[str]:
    """The members of conf/network whose weights are on this machine."""
    names = []
    for path in sorted((settings.CONF / "network").glob("*.yaml")):
        weights = OmegaConf.select(OmegaConf.load(path), "weights")
        with suppress(UserError):
            if weights and find(weights):
                names.append(path.stem)
    return names


def listed(unit: str) -> str:
    """A unit as the one element of a list on the command line, quoted where Hydra would read it otherwise."""
    if not unit.strip():
        raise UserError("there is no unit: enter a class name, an index or a sum such as 0.5*lemon+0.5*orange")
    if "${" in unit:
        raise UserError("a unit cannot contain '${': enter a class name, an index or a sum such as "
                        "0.5*lemon+0.5*orange")  # fmt: skip
    quoted = '"' + unit.replace("\\", "\\\\").replace('"', '\\"') + '"'
    for text in (unit, quoted):
        try:
            value = settings.overrides([f"units=[{text}]"])[0].value()
        except HydraException:
            continue
        if isinstance(value, list) and [str(item) for item in value] == [unit]:
            return f"[{text}]"
    raise UserError(f"{unit!r} is not a unit: enter a class name, an index or a sum such as 0.5*lemon+0.5*orange")


def replaced(words: list[str], values: Mapping[str, Any]) -> list[str]:
    """Words with the keys of `values` set, each once."""
    kept = [word for word in words if word.partition("=")[0] not in values]
    return [*kept, *(f"{key}={value}" for key, value in values.items())]


def command(words: list[str]) -> str:
    """The line to type in a shell."""
    return f"dgn synthesize {shlex.join(words)}"
