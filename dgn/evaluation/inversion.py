"""Inversion errors: how well a generator inverts its layer on held-out images."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from dgn.base import images
from dgn.evaluation import metrics
from dgn.evaluation.judge import Judge
from dgn.networks.features import Features

SHOWN = 32  # held-out images that are drawn beside their reconstructions


def errors(
    encoder: Features,
    generators: Mapping[str, nn.Module],
    batches: Iterable[tuple[Tensor, ...]],
    observer: Features | None = None,
) -> dict[str, float]:
    """Errors of reconstructions from the encoder's first layer, in pixels and at every layer that it is read at.

    A small encoder can be pleased by noise, so that its own error tells nothing. `unexplained/observer` is that of
    another network, and tells more: see docs/training.md.

    Batches are forgotten as they are measured: memory does not grow with their number.

    Args:
        encoder: E; its first layer gives the code.
        generators: the Gs to measure, each by the prefix of its names, such as "" or "ema/".
        observer: a network with one layer, whose channels are averaged over positions; None: leave it out.
        batches: of images (N, 3, H, W) in [0, 1] first.

    Gives `inversion/LAYER` in % and `unexplained/LAYER`, see `dgn.evaluation.metrics`.
    """

    def values(x: Tensor) -> dict[str, Tensor]:
        observed = {"observer": means(observer(x))} if observer else {}
        return encoder.all(x) | {"pixels": x} | observed

    names = [*encoder.layers, "pixels", *(["observer"] if observer else [])]
    targets = {name: metrics.Targets() for name in names}
    residuals = {(prefix, name): metrics.Residuals() for prefix in generators for name in targets}
    for x, *_ in batches:
        real = values(x)
        for name, value in real.items():
            targets[name].update(value)
        for prefix, generator in generators.items():
            y = generator(real[encoder.layers[0]])
            for name, value in values(y).items():
                residuals[prefix, name].update(real[name], value)
    summary = {}
    for (prefix, name), missed in residuals.items():
        summary[f"{prefix}inversion/{name}"] = metrics.inversion_error(targets[name], missed)
        summary[f"{prefix}unexplained/{name}"] = metrics.unexplained(targets[name], missed)
    return summary


def means(features: Tensor) -> Tensor:
    """Activations (N, C, H, W) averaged over positions, (N, C); others as they are."""
    return features.mean((2, 3)) if features.ndim == 4 else features


def named(
    judges: Mapping[str, Judge],
    encoder: Features,
    generator: nn.Module,
    batches: Iterable[tuple[Tensor, ...]],
    classes: Sequence[str],
) -> dict[str, float]:
    """How often networks name the class of real images, and of their reconstructions, in %.

    Args:
        judges: by what they are called, "judge" or "encoder".
        batches: of images (N, 3, H, W) in [0, 1] and their labels, into `classes`.

    Gives `judge_top1/real`, `judge_top1/reconstructions`, the same of top5, and the like; images of classes that a
    network does not know are not counted, and of none the figure is NaN.
    """
    ranks: dict[tuple[str, str], list[int]] = {}
    for x, labels, *_ in batches:
        wanted = [classes[label] for label in labels.tolist()]
        for what, shown in (("real", x), ("reconstructions", generator(encoder(x)))):
            for name, judge in judges.items():
                places = judge.ranks(shown, wanted)
                ranks.setdefault((name, what), []).extend(rank for rank in places if rank is not None)
    return {f"{name}_top{k}/{what}": metrics.top(places, k) for (name, what), places in ranks.items() for k in (1, 5)}


def picture(encoder: Features, generator: nn.Module, x: Tensor) -> Tensor:
    """Images (N, 3, H, W), each beside its reconstruction, as one (3, H', W')."""
    y = generator(encoder(x)).clamp(0, 1)
    return images.grid(torch.stack([x, y], 1).flatten(0, 1), columns=8)
