"""How well a generator inverts its layer, on images it has not seen."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from dgn.base import images
from dgn.evaluation import metrics
from dgn.evaluation.judge import Judge
from dgn.networks.features import Features


def errors(
    encoder: Features, generators: Mapping[str, nn.Module], batches: Iterable[tuple[Tensor, ...]]
) -> dict[str, float]:
    """Errors of reconstructions from the encoder's first layer, in pixels and at every layer that it is read at.

    Args:
        encoder: E; its first layer gives the code.
        generators: the Gs to measure, each by the prefix of its names, such as "" or "ema/".
        batches: of images (N, 3, H, W) in [0, 1] first.

    Gives `inversion/LAYER` in % and `unexplained/LAYER`, see `dgn.evaluation.metrics`.
    """
    real: dict[str, list[Tensor]] = {}
    fake: dict[str, list[Tensor]] = {}
    for x, *_ in batches:
        seen = encoder.all(x)
        _keep(real, seen | {"pixels": x})
        for prefix, generator in generators.items():
            y = generator(seen[encoder.layers[0]])
            _keep(fake, {prefix + name: value for name, value in (encoder.all(y) | {"pixels": y}).items()})
    summary = {}
    for prefix in generators:
        for name in real:
            x, y = torch.cat(real[name]), torch.cat(fake[prefix + name])
            summary[f"{prefix}inversion/{name}"] = metrics.inversion_error(x, y)
            summary[f"{prefix}unexplained/{name}"] = metrics.unexplained(x, y)
    return summary


def _keep(store: dict[str, list[Tensor]], found: Mapping[str, Tensor]) -> None:
    for name, value in found.items():
        store.setdefault(name, []).append(value.flatten(1).cpu())


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
    network does not know are not counted.
    """
    ranks: dict[tuple[str, str], list[int]] = {}
    for x, labels, *_ in batches:
        wanted = [classes[label] for label in labels.tolist()]
        for what, shown in (("real", x), ("reconstructions", generator(encoder(x)))):
            for name, judge in judges.items():
                found = judge.ranks(shown, wanted)
                ranks.setdefault((name, what), []).extend(rank for rank in found if rank is not None)
    return {f"{name}_top{k}/{what}": metrics.top(found, k) for (name, what), found in ranks.items() for k in (1, 5)}


def picture(encoder: Features, generator: nn.Module, x: Tensor) -> Tensor:
    """At most 32 images, each beside its reconstruction, as one (3, H, W)."""
    y = generator(encoder(x[:32])).clamp(0, 1)
    return images.grid(torch.stack([x[:32], y], 1).flatten(0, 1), columns=8)
