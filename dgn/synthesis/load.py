"""What a run's settings name, ready for the climb: the prior, the target at its units' layers, the judge."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from dgn.base import images, lightning
from dgn.base.errors import UserError
from dgn.base.folders import CONF
from dgn.base.instantiate import instantiate
from dgn.base.memo import Memo
from dgn.evaluation import candidates, judge
from dgn.evaluation.judge import Judge
from dgn.generators import bundle, kinds, loading, lookup
from dgn.generators.bundle import Bundle
from dgn.generators.settings import DecoderSettings
from dgn.networks import zoo
from dgn.networks.features import OUTPUT, Features
from dgn.networks.settings import NetworkSettings
from dgn.networks.validate import check, settle
from dgn.networks.weights_file import find
from dgn.synthesis import evolution, initial_code, shown
from dgn.synthesis.inputs import networks, weights
from dgn.synthesis.settings import SearchSettings, SynthesizeSettings
from dgn.units.elements import Elements
from dgn.units.grammar import Part, Range, as_list, layers_of, read
from dgn.units.names import ClassNames
from dgn.units.objective import LogProbability, Margin, Scorer, check_terms
from dgn.units.parsing import parse_in
from dgn.units.target import Target
from dgn.units.terms import Unit
from dgn.units.turns import Alternate, Turns
from dgn.units.unit_file import from_file
from dgn.units.wanted import Level

AUTO = "auto"
DEBUG = 2  # units of a run with debug=true


def load(
    config: SynthesizeSettings, network: nn.Module | None = None, prior: Bundle | None = None, memo: Memo | None = None
) -> tuple[Bundle, Target]:
    """The prior and the target of a run: `network` and `prior` from Python, or those that the settings name.

    `memo` keeps what an earlier run loaded with the same settings. The target is checked on noise of the prior's
    shape, and the start, the prior's range and the optimiser are built once, so mistakes appear before anything is
    written.
    """
    for role, settings in networks(config).items():
        if settings.weights:
            find(settings.weights, f"{role}.weights")
    memo = memo or Memo()
    device = memo("device", config.trainer, lambda: one_device(config.trainer))
    if prior is None:
        made_from = (config.generator, config.bundle, config.bundle_filter, weights(config))
        prior = memo("prior", made_from, lambda: load_prior(config))
    limits = instantiate(config.prior, prior.moments)
    limits.fits(prior)
    instantiate(config.ascent.transforms)
    codes = initial_code.of(config)(prior, [config.seed, config.seed + 1], config.ascent.noise)
    evolution.check(instantiate(config.ascent.optimiser), limits, codes[0])
    prior = shown.shown(prior, config.stimulus)
    with torch.no_grad():
        probe = prior.generator(codes[:1])
    noise = torch.rand(2, *probe.shape[1:], generator=torch.Generator().manual_seed(0))
    target = load_target(config, noise, network, memo)
    target.device = device
    check_seeds(config, codes, target)
    return prior, target


def decided(config: SynthesizeSettings, network: nn.Module | None = None) -> SynthesizeSettings:
    """The settings with what `auto` stands for: trainer, and bundle=auto by `candidates.choose`."""
    config = config.model_copy(update={"trainer": lightning.decided(config.trainer)})
    if config.bundle != AUTO or isinstance(config.generator, DecoderSettings):
        return config
    known = [config.target] if network is None else []
    chosen = candidates.choose(known, config.data, config.seed, Path.cwd())
    return config.model_copy(update={"bundle": chosen})


def one_device(trainer: Mapping[str, Any]) -> torch.device:
    """The device on which this trainer climbs; UserError for several."""
    built = lightning.trainer(trainer, [], [])
    if built.world_size > 1:
        raise UserError("synthesis uses one device: set trainer.devices=1, and start one run per device with shard=0/2 "
                        "and shard=1/2")  # fmt: skip
    return built.strategy.root_device


def load_prior(config: SynthesizeSettings | SearchSettings) -> Bundle:
    """The decoder that the settings name, or else the bundle."""
    if isinstance(config.generator, DecoderSettings):
        return loading.load_decoder(config.generator)
    return bundle.load(lookup.find(config.bundle, config.bundle_filter), kinds.named(config.generator.kind))


def load_target(
    config: SynthesizeSettings, probe: Tensor, network: nn.Module | None = None, memo: Memo | None = None
) -> Target:
    """The target and its units; `probe` (2, C, H, W) are images as the prior makes them, to try it on.

    The target is `network` if there is one, with the layer and the input of the settings; otherwise it is loaded, or
    `memo` has it from an earlier run. Raises UserError if something does not fit.
    """
    classes = zoo.classes(config.target)
    items = from_file(config.units_file, classes) if config.units_file else config.units
    # members have names of their own, which the texts of units of their layers may hold
    known = list(dict.fromkeys([*(classes or []), *(name for member in config.target.members.values()
                                                    for name in zoo.classes(member) or [])])) or None  # fmt: skip
    layers = layers_of(items, known, str(config.target.layer))
    features = _read_at(layers, config, network, memo)
    activations = check(features, probe, config.trainer["precision"])
    for name, place in features.places.items():
        print(f"note: layer {name} returns several tensors; using {place}")
    is_output = {layer: features.is_output(probe, x) for layer, x in activations.items()}
    names = {layer: _element_names(config.target, classes, layer, x, is_output[layer])
             for layer, x in activations.items()}  # fmt: skip
    # texts are taken apart by the names by which the layers were found, at a single layer by its own
    one = layers[0] if len(layers) == 1 else None
    check_items(items, features, (names[one] if one else None) or known, names, config)
    called = config.target.name if network is None else None
    at = {layer: Elements(x.shape[1:], names[layer], layer, called, partial(_seen, features, layer))
          for layer, x in activations.items()}  # fmt: skip
    apart = names[one] if one else known
    units = parse_in(items, at, apart, str(config.target.layer))[: DEBUG if config.debug else None]
    objective = instantiate(config.objective)
    check_objective(objective, units, at)
    check_terms([term for unit in units for term in unit.terms], objective)
    if isinstance(objective, Level) and not objective.measured and not config.data.root:
        raise UserError("objective=level takes percentiles of real images: set data.root=DIR, or the level itself by "
                        "objective.value=…")  # fmt: skip
    return Target(
        features,
        units,
        lambda rows: Turns(rows, objective) if isinstance(objective, Alternate) else Scorer(rows, objective),
        is_output=one is not None and is_output[one],
        classes=names[one] if one else None,
        maps=[layer for layer, x in activations.items() if x.ndim == 4 and x[0, 0].numel() > 1],
    )


def _read_at(
    layers: list[str], config: SynthesizeSettings, network: nn.Module | None = None, memo: Memo | None = None
) -> Features:
    """The target, read at layers: `network`, or what the settings name, which `memo` may have from an earlier run."""
    if network is None:
        made_from = (config.target, zoo.identity(config.target), layers, config.post_activation)
        features = (memo or Memo())(
            "target", made_from, lambda: zoo.features(config.target, layers, config.post_activation)
        )
    else:
        features = settle(Features(network, layers, zoo.contract(config.target), config.post_activation))
    features.every = len(layers) > 1
    return features


@torch.no_grad()
def _seen(features: Features, layer: str, path: Path) -> Tensor:
    """The values of a layer for the image in a file, without a dimension for images."""
    image = images.read(path, features.contract.size)
    return features.all(images.channels(image, features.contract.channels))[layer][0]


def check_items(
    items: Any,
    features: Features,
    classes: list[str] | None,
    names: Mapping[str, list[str] | None],
    config: SynthesizeSettings,
) -> None:
    """UserError for texts that are no units of layers with these element names, but something else that is known."""
    known = {layer: ClassNames(of_layer or []) for layer, of_layer in names.items()}
    if _by_default(items) and not any(every.candidates(str(item)) for item in items for every in known.values()):
        raise UserError(f"no unit is chosen, and the default ones are classes that {config.target.name} does not have: "
                        "set units=…, such as units=0")  # fmt: skip
    default = next(iter(names)) if len(names) == 1 else str(config.target.layer)
    elements = [(str(item), part.element, part.layer) for item in as_list(items) for part in _parts(item, classes)]
    for item, element, named in elements:
        layer = default if len(names) == 1 or named is None else named
        if known[layer].candidates(element):
            continue
        if ClassNames(classes or []).candidates(element) and layer != OUTPUT:
            raise UserError(f"{element!r} is a class of the output, and the layer {layer} has no class names: "
                            f"set {OUTPUT}:{element}")  # fmt: skip
        if item == element and not element.isdecimal() and element in dict(features.network.named_modules()):
            raise UserError(f"{item!r} is a layer: name an element of it as well, such as {item}:3")


def check_objective(objective: Any, units: Sequence[Unit], layers: Mapping[str, Elements]) -> None:
    """UserError for an objective that compares a unit with others, where a layer has no others."""
    for layer, elements in layers.items():
        if isinstance(objective, LogProbability) and elements.count == 1:
            raise UserError(f"the layer {layer} has one element, so its log-probability is always 0: set "
                            "objective=logit")  # fmt: skip
        for unit in units if isinstance(objective, Margin) else []:
            named = {term.channel for term in unit.terms if term.layer in (None, layer)} - {None}
            if len(named) == elements.count:
                raise UserError(f"the unit {unit.text!r} names every element of the layer {layer}, so there is no "
                                "other to compare it with: set objective=logit")  # fmt: skip


def _by_default(items: Any) -> bool:
    """Whether these are the units of conf/synthesize.yaml."""
    return bool(items == OmegaConf.load(CONF / "synthesize.yaml").units)


def _parts(item: Any, classes: list[str] | None) -> list[Part]:
    """The terms that the text of a unit names; none for a range."""
    parsed = read(str(item), ClassNames(classes or []))
    return [] if isinstance(parsed, Range) else parsed


def _element_names(
    network: NetworkSettings, classes: list[str] | None, layer: str, activation: Tensor, is_output: bool
) -> list[str] | None:
    """The names of a layer's elements: those of the network's outputs, at its output and at vectors of that length.

    Raises UserError if the output has another number of elements.
    """
    elements = activation.shape[2] if activation.ndim == 3 else activation.shape[1]
    if member := network.members.get(layer.partition(".")[0]):
        classes, is_output = zoo.classes(member), False
    if is_output or layer == OUTPUT:
        return zoo.classes_of(network, elements, "target")
    return classes if classes and activation.ndim == 2 and elements == len(classes) else None


def check_seeds(config: SynthesizeSettings, codes: Tensor, target: Target) -> None:
    """UserError if several seeds would give the same picture: equal initial codes (2, ...) and no transforms."""
    unmoved = not config.ascent.transform_strength or config.ascent.full_view_fraction == 1
    still = [unit for unit in target.units if unmoved or target.at_one_place(unit)]
    if config.seeds > 1 and still and torch.equal(codes[0], codes[1]):
        raise UserError(f"all {config.seeds} seeds would give the same picture of {still[0].text}, because the "
                        "start has no noise and no transforms apply: set seeds=1")  # fmt: skip


def load_judge(config: SynthesizeSettings, prior: Bundle, target: Target, memo: Memo | None = None) -> Judge | None:
    """The judge, if the settings name one; UserError if it took part in making the pictures, or shares no class."""
    settings = config.judge
    if settings is None:
        return None
    took_part = {"the target": zoo.identity(config.target),
                 "the network that the generator inverts": prior.record.get("encoder_sha256"),
                 **{f"the target's member {name}": zoo.identity(member)
                    for name, member in config.target.members.items()}}  # fmt: skip
    made_from = (settings, zoo.identity(settings), took_part)
    loaded = (memo or Memo())("judge", made_from, lambda: judge.load(settings, took_part))
    classes = target.classes if target.is_output else zoo.classes(config.target)
    if not classes:
        raise UserError(f"a judge needs class names, but the target {config.target.name} has none: set "
                        "target.classes=imagenet or target.classes=FILE")  # fmt: skip
    if not any(map(loaded.knows, classes)):
        raise UserError(f"the judge {loaded.name} shares no class with the target {config.target.name}: "
                        "set network@judge=ANOTHER")  # fmt: skip
    return loaded
