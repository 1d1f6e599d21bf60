"""Do pictures take the same way through the network as real images of their class? Likeness, layer by layer."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from dgn.measures.finished import Finished
from dgn.measures.intervals import Measure, mean_over_classes, paired
from dgn.measures.look import pooled
from dgn.networks import zoo
from dgn.networks.features import Features
from dgn.paper import judged
from dgn.paper.settings import PaperSettings
from dgn.paper.table import Analysis, Point

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7")
PER_CLASS = (
    20  # real images of a class: half of them are what pictures are compared with, half are compared as pictures
)


def travel(folder: Path, settings: PaperSettings, rows: Sequence[Measure]) -> Analysis:
    """By layer the mean likeness to real images, of pictures, of pixels and of other real images, and differences."""
    runs = {name: Finished.read(folder / name) for name in ("codes", "pixels")}
    network = zoo.features(judged.target_of(folder / "codes"), list(LAYERS), activated=True)
    real, names = judged.real_images(settings, PER_CLASS), [one or "" for one in runs["codes"].classes]
    seen = [(read(network, x), of) for x, of in real.of(list(dict.fromkeys(names)))]
    of_real = [name for _, of in seen for name in of]
    found, points = list[Measure](), list[Point]()
    pictures = {name: read(network, torch.cat(list(run.batches()))) for name, run in runs.items()}
    for i, layer in enumerate(LAYERS):
        every = torch.cat([part[layer] for part, _ in seen])
        mean, means = centres(every, of_real)
        rest = [n for n in range(len(of_real)) if n % 2]
        likes = {name: likeness(part[layer], names, mean, means) for name, part in pictures.items()}
        likes["real"] = likeness(every[rest], [of_real[n] for n in rest], mean, means)
        classes = dict.fromkeys(pictures, names) | {"real": [of_real[n] for n in rest]}
        told = {name: mean_over_classes(f"{name}: likeness/{layer}", likes[name], classes[name]) for name in likes}
        found += told.values()
        found += [paired(f"{a} − {b}: likeness/{layer}", likes[a], likes[b], classes[a], classes[b])
                  for a, b in (("codes", "pixels"), ("codes", "real"))]  # fmt: skip
        points += [Point(f"{name} {layer}", float(i), one.value, one.low, one.high, name)
                   for name, one in told.items()]  # fmt: skip
    return Analysis(found, points, (f"layer, {LAYERS[0]} to {LAYERS[-1]}", "likeness to real images of the class"))


@torch.no_grad()
def read(network: Features, x: Tensor) -> dict[str, Tensor]:
    """What each layer gives for images (N, 3, H, W), averaged over positions: (N, D)."""
    return {layer: pooled(value) for layer, value in network.all(x).items()}


def centres(x: Tensor, classes: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
    """Of features (N, D): the mean of all, and of each class the mean of its even-numbered images less that."""
    mean = x.mean(0)
    even = {name: [i for i, one in enumerate(classes) if one == name and i % 2 == 0] for name in set(classes)}
    return mean, {name: x[rows].mean(0) - mean for name, rows in even.items()}


def likeness(x: Tensor, classes: Sequence[str], mean: Tensor, means: Mapping[str, Tensor]) -> list[float]:
    """The cosine of each of x (N, D), less `mean`, with its class's centre, -1 to 1; without such a class NaN."""
    none = torch.full_like(mean, torch.nan)
    other = torch.stack([means.get(name, none) for name in classes])
    return torch.cosine_similarity(x - mean, other).tolist()
