"""The bundles at hand, each measured on a few real images: which one shows most of them."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from dgn import data, settings
from dgn.base.errors import UserError
from dgn.base.folders import members
from dgn.base.images import sides
from dgn.base.typed import validated
from dgn.data.settings import UNCHANGED, DataSettings
from dgn.evaluation import inversion, verdict
from dgn.generators import bundle, inverted, lookup
from dgn.generators.bundle import Bundle
from dgn.networks import zoo
from dgn.networks.features import Features
from dgn.networks.settings import NetworkSettings
from dgn.settings.run_file import plain

CPU = torch.device("cpu")
FEW = 128  # real images
DEPTH = 3  # folders below the current one in which bundles are looked for
OBSERVER = ("caffenet64", "conv3")  # as in conf/task/generator.yaml


def named(name: str, layer: str, size: int | None = None) -> NetworkSettings:
    """The settings of a member of conf/network at a layer; `size` of its input, pixels, None for its own."""
    words = [f"network@encoder={name}", f"encoder.layer={layer}", *([f"encoder.input.size={size}"] if size else [])]
    return validated(NetworkSettings, plain(settings.composed("train", words).config)["encoder"])


def at_hand(folder: Path) -> dict[str, Path]:
    """The shipped bundles by name, and those in a folder or up to `DEPTH` below it by path."""
    below = [path for depth in range(DEPTH + 1) for path in folder.glob("*/" * depth + "*.bundle.safetensors")]
    return lookup.shipped() | {str(path.relative_to(folder)): path for path in sorted(below)}


def encoder_of(prior: Bundle, known: Sequence[NetworkSettings]) -> NetworkSettings | None:
    """The network that G inverts, with the input of that size: one of `known` or a member of conf/network, or None."""
    name, layer, size = (prior.record.get(key) for key in ("encoder", "layer", "encoder_size"))
    if not name or not layer or not prior.record.get("encoder_sha256"):
        return None
    networks = [inverted.at_size(network, size).model_copy(update={"layer": layer}) for network in known]
    if name in members("network"):
        networks.append(named(name, layer, size))
    return next((network for network in networks if inverted.inverts(prior, network)), None)


def inverted_by(
    prior: Bundle, network: NetworkSettings, known: Sequence[NetworkSettings], role: str
) -> NetworkSettings:
    """`network` if G inverts it, else the one of `known` or of conf/network that it inverts.

    UserError if G inverts none of them: the sentence tells how to set `role`, the key of `network`.
    """
    if inverted.inverts(prior, network):
        return network
    found = encoder_of(prior, known)
    if found is None:
        inverted.same_encoder(prior, network, role)
    return found or network


def unexplained(
    prior: Bundle, network: NetworkSettings, observer: Features, batches: Iterable[Tensor], device: torch.device = CPU
) -> float:
    """What reconstructions leave unexplained of images (N, 3, size, size), see `inversion.errors`; all on `device`."""
    encoder = zoo.features(network, [str(network.layer)], activated=True, role="encoder").to(device)
    prior.generator.to(device)
    with torch.no_grad():
        errors = inversion.errors(encoder, {"": prior.generator}, ((x,) for x in batches), observer)
    return errors[verdict.KEY]


def examples(images: DataSettings, seed: int) -> Callable[[tuple[int, int]], Tensor]:
    """By the height and width of G's images, pixels, a few real ones, spread over the classes, (N, 3, H, W)."""

    @cache
    def of_size(size: tuple[int, int]) -> Tensor:
        return data.build(images.resized(size), UNCHANGED, seed).examples(FEW)

    return of_size


def measured(
    path: Path, known: Sequence[NetworkSettings], shown: Callable[[tuple[int, int]], Tensor], observer: Features
) -> tuple[float, str]:
    """A bundle's number, or inf and why it has none."""
    try:
        prior = bundle.load(path)
        network = encoder_of(prior, known)
        if network is None:
            return float("inf"), f"its encoder {prior.record.get('encoder', '?')} neither ships nor is the target"
        return unexplained(prior, network, observer, shown(sides(prior.generator.size)).split(data.BATCH)), ""
    except UserError as error:
        return float("inf"), str(error)


def choose(known: Sequence[NetworkSettings], images: DataSettings, seed: int, folder: Path) -> str:
    """The name or path of the bundle at hand that shows most of real images; prints each bundle's number.

    Args:
        known: networks besides those of conf/network that a bundle may invert, such as the target.
        images: where the real images are.
        seed: of the run.
        folder: where the user's own bundles are looked for.

    Raises UserError without real images, or if no bundle can be measured.
    """
    if not images.root:
        raise UserError("bundle=auto compares the bundles on real images: set data.root=DIR as well")
    observer = zoo.features(named(*OBSERVER), OBSERVER[1], activated=True, role="observer")
    shown = examples(images, seed)
    results = {name: measured(path, known, shown, observer) for name, path in at_hand(folder).items()}
    order = sorted(results, key=lambda name: results[name])
    lines = [f"  {name}: {results[name][1] or f'{results[name][0]:.2f}'}" for name in order]
    if results[order[0]][1]:
        raise UserError(f"bundle=auto can measure no bundle ({lines[0].strip()}): set bundle=FILE")
    print("\n".join([f"bundle=auto: {order[0]} leaves least of real images unexplained:", *lines]))
    return order[0]
