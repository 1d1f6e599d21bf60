"""A run under measurement: what the measures need of it, loaded when first asked for."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dgn.base import hub
from dgn.base.errors import UserError
from dgn.base.typed import validated
from dgn.data.settings import DataSettings
from dgn.evaluation.candidates import encoder_of
from dgn.generators import bundle, kinds, loading
from dgn.generators.base import Generator
from dgn.generators.bundle import Bundle
from dgn.generators.settings import DecoderSettings
from dgn.measures.finished import Finished
from dgn.measures.look import Eye, Seen
from dgn.measures.real import RealImages
from dgn.measures.settings import MeasureSettings
from dgn.networks import zoo
from dgn.networks.settings import NetworkSettings
from dgn.synthesis import shown
from dgn.synthesis.load import load_target
from dgn.synthesis.settings import SynthesizeSettings
from dgn.units.target import Target
from dgn.units.wanted import Level

NO_DATA = "no real images: set data.root=DIR"
NO_CLASS = "no picture was made for a class that data.root has images of"


@dataclass
class Tools:
    """What all runs of one call share.

    Attributes:
        eyes: the judges.
        data: where real images are; None for none.
        kept: what was seen in real images, by what it depends on, so that a second run does not look again.
        network: the live target, where a run had one.
    """

    settings: MeasureSettings
    eyes: list[Eye]
    data: DataSettings | None
    device: torch.device
    network: nn.Module | None = None
    kept: dict[Any, Any] = field(default_factory=dict)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """`make()`, or what it gave before for this key."""
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]


@dataclass
class Subject:
    """One finished run, with the tools to measure it."""

    run: Finished
    tools: Tools

    @property
    def settings(self) -> MeasureSettings:
        """Of the command."""
        return self.tools.settings

    @cached_property
    def real(self) -> RealImages | None:
        """Real images of the pictures' size; None without `data.root`. UserError for pictures of other channels."""
        if self.tools.data is None:
            return None
        channels, side, _ = self.run.shape
        if channels not in {1, 3}:
            raise UserError(f"pictures of {channels} channels cannot be compared with real images of three")
        settings, per_class = self.tools.data, self.settings.per_class
        return self.tools.once(("images", side, channels), lambda: RealImages(settings, side, channels, per_class))  # type: ignore[no-any-return]

    @cached_property
    def unit_of(self) -> dict[str, str]:
        """The unit by the name of the class that it maximises, of those classes that there are real images of."""
        if self.real is None:
            return {}
        pairs = zip(self.run.classes, self.run.units, strict=True)
        return {name: unit for name, unit in pairs if name is not None and self.real.knows(name)}

    def seen(self, eye: Eye) -> Seen:
        """What a judge sees in the pictures."""

        def batches() -> Any:
            start = 0
            for x in self.run.batches():
                yield x, self.run.classes[start : start + len(x)], self.run.units[start : start + len(x)]
                start += len(x)

        return self.tools.once((self.run.folder, id(eye)), lambda: eye.look(batches()))  # type: ignore[no-any-return]

    def seen_real(self, eye: Eye, through: Callable[[Tensor], Tensor] | None = None) -> Seen:
        """What a judge sees in real images of the pictures' classes, `Seen.classes` being the pictures' units.

        Args:
            through: what the images go through first, such as the generator's reconstruction.
        """
        real = self.real
        assert real is not None
        key = (self.run.shape, tuple(self.unit_of.items()), id(eye), id(self) if through else None)

        def batches() -> Any:
            for x, names in real.of(list(self.unit_of)):
                yield through(x) if through else x, names, [self.unit_of[name] for name in names]

        return self.tools.once(key, lambda: eye.look(batches()))  # type: ignore[no-any-return]

    @cached_property
    def prior(self) -> Bundle:
        """The run's bundle; UserError where it had none, or where the file is gone or has changed."""
        path = self.run.about.get("files", {}).get("bundle")
        if path is None:
            raise UserError(f"{self.run.name} was not made through a bundle")
        file = hub.fetch(path) if hub.is_name(path) else Path(path)
        _unchanged(self.run, "bundle", file)
        kind = (self.run.config.get("generator") or {}).get("kind")
        return bundle.load(file, kinds.named(kind))

    @cached_property
    def generator(self) -> Generator:
        """The run's G on the CPU, a bundle's or any decoder's, to climb with, and what the run changed of its pictures
        before they were shown; UserError where it is gone or changed."""
        node = self.run.config.get("generator") or {}
        if "_target_" in node:
            prior = loading.load_decoder(validated(DecoderSettings, node, "generator."))
        else:  # a climb moves it, and `reconstruct` needs its own where it is
            prior = replace(self.prior, generator=deepcopy(self.prior.generator).cpu())
        return shown.shown(prior, self.run.config.get("stimulus") or {}).generator

    @cached_property
    def encode(self) -> Callable[[Tensor], Tensor]:
        """Images (N, 3, H, W) to their codes; UserError where G inverts no network at hand."""
        prior = self.prior
        known = (
            [validated(NetworkSettings, self.run.config["target"], "target.")] if "target" in self.run.config else []
        )
        settings = encoder_of(prior, known)
        if settings is None:
            raise UserError(f"the encoder {prior.record.get('encoder', '?')} that G inverts neither ships nor is the "
                            "run's target: measure a run whose target it is")  # fmt: skip
        encoder = zoo.features(settings, str(settings.layer), activated=True, role="encoder").to(self.tools.device)

        @torch.no_grad()
        def codes(x: Tensor) -> Tensor:
            found: Tensor = encoder(x.to(self.tools.device))
            return found

        return codes

    @cached_property
    def reconstruct(self) -> Callable[[Tensor], Tensor]:
        """Images (N, 3, H, W) to what G makes of their codes; UserError where G inverts no network at hand."""
        encode, generator = self.encode, self.prior.generator.to(self.tools.device)

        @torch.no_grad()
        def through(x: Tensor) -> Tensor:
            made: Tensor = generator(encode(x))
            return made.clamp(0, 1)

        return through

    @cached_property
    def target(self) -> Target:
        """The run's target with its units; UserError where it cannot be loaded, or is another one now."""
        live = self.tools.network
        if live is None and self.run.about.get("weights", {}).get("target") is None and _is_live(self.run):
            raise UserError("its network was a live one: call dgn.measure(…, network=net)")
        config = validated(SynthesizeSettings, self.run.config)
        layers, units = self.run.about["target"]["layer"].split(", "), list(dict.fromkeys(self.run.units))
        # units of several layers name them, but for the default one's
        network = config.target.model_copy(update={"layer": layers[0]}) if len(layers) == 1 else config.target
        config = config.model_copy(update={"target": network, "units": units, "units_file": None, "debug": False})
        if live is None and zoo.identity(config.target) != self.run.about.get("weights", {}).get("target"):
            raise UserError(f"the weights of {config.target.name} have changed since the run")
        noise = torch.rand(2, *self.run.shape, generator=torch.Generator().manual_seed(0))
        target = load_target(config, noise, live)
        if isinstance(level := target.objective, Level):
            level.levels = self.run.about["method"].get("levels")
        target.device = self.tools.device
        return target


def took_part(subjects: Sequence[Subject]) -> dict[str, str | None]:
    """The weights' identities of the networks that made the pictures, by what they are."""
    parts: dict[str, str | None] = {}
    for subject in subjects:
        name, used = subject.run.name, subject.run.about.get("weights", {})
        parts[f"the target of {name}"] = used.get("target")
        members = {role.rpartition(".")[2]: known for role, known in used.items() if role.startswith("target.members.")}
        parts |= {f"the member {member} of the target of {name}": known for member, known in members.items()}
        try:
            parts[f"the network that the generator of {name} inverts"] = subject.prior.record.get("encoder_sha256")
        except UserError:  # without a bundle no network was inverted
            continue
    return parts


def _unchanged(run: Finished, role: str, path: Path) -> None:
    from dgn.base.files import sha256

    if not path.is_file():
        raise UserError(f"the {role} of {run.name}, {path}, is gone")
    if sha256(path) != run.about.get("weights", {}).get(role):
        raise UserError(f"the {role} of {run.name}, {path}, has changed since the run")


def _is_live(run: Finished) -> bool:
    return str((run.config.get("target") or {}).get("name", "")).endswith("(live)")
