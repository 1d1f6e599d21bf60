"""The files that a run's settings name, and the identities of the weights in them."""

from pathlib import Path

from dgn.base import hub
from dgn.base.files import sha256
from dgn.generators import lookup
from dgn.generators.settings import DecoderSettings
from dgn.networks import zoo
from dgn.networks.settings import ModuleSettings
from dgn.networks.weights_file import find
from dgn.synthesis.settings import SynthesizeSettings


def networks(config: SynthesizeSettings) -> dict[str, ModuleSettings]:
    """The networks that a run builds from settings, by role; a bundle's generator is not one of them."""
    roles = {"target": config.target, "generator": config.generator, "judge": config.judge}
    roles |= {f"target.members.{name}": member for name, member in config.target.members.items()}
    return {role: network for role, network in roles.items() if isinstance(network, ModuleSettings)}


def bundle_file(config: SynthesizeSettings) -> Path | None:
    """The bundle that a run reads; None if its generator is a decoder."""
    if isinstance(config.generator, DecoderSettings):
        return None
    return lookup.find(config.bundle, config.bundle_filter)


def files(config: SynthesizeSettings) -> dict[str, str]:
    """Where the weights files and the bundle that a run reads are, by role: a whole path, or a name on the hub."""
    named = {role: _place(network.weights, find(network.weights))
             for role, network in networks(config).items() if network.weights}  # fmt: skip
    bundle = bundle_file(config)
    return named | ({"bundle": _place(config.bundle, bundle)} if bundle else {})


def _place(name: str, path: Path) -> str:
    """A file of the hub by its name: where its cache lies says nothing, and only here."""
    return name if hub.is_name(name) else str(path.resolve())


def weights(config: SynthesizeSettings) -> dict[str, str]:
    """Identities of the weights by role; a live or random network has none."""
    identities = {role: zoo.identity(network) for role, network in networks(config).items()}
    known = {role: identity for role, identity in identities.items() if identity}
    bundle = bundle_file(config)
    return known | ({"bundle": sha256(bundle)} if bundle else {})


def prior_name(config: SynthesizeSettings) -> str:
    """The generator's name on the page."""
    if isinstance(config.generator, DecoderSettings):
        return config.generator.builder.rpartition(".")[2].lower()
    return lookup.find(config.bundle, config.bundle_filter).name.removesuffix(".bundle.safetensors")
