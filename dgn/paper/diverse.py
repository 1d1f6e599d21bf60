"""Are the classes whose pictures cannot be recognised those whose real images differ much?"""

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from dgn.measures.finished import Finished
from dgn.measures.intervals import Measure, spearman
from dgn.networks import zoo
from dgn.networks.features import Features
from dgn.paper import judged
from dgn.paper.settings import PaperSettings
from dgn.paper.table import Analysis, Point

PER_CLASS, WORST = 50, 10  # real images of a class; classes that the table names
LAYERS = ("features.1", "features.4", "features.7", *(f"features.{i}" for i in range(9, 13)))  # where LPIPS reads it


def diverse(folder: Path, settings: PaperSettings, rows: Sequence[Measure]) -> Analysis:
    """Spearman's correlation, over classes, of the real images' mean distance and the pictures' mean log₂ rank.

    Both by the judge; distances in the inputs of its last layer, and a second time place by place in seven layers, as
    LPIPS has them (Zhang et al. 2018), without its calibration, which was fitted to other weights of this network. The
    classes of the worst pictures stand below as rows.
    """
    run, eye = Finished.read(folder / "pictures"), judged.eye(settings)
    real = judged.real_images(settings, PER_CLASS)
    names = [one for one in dict.fromkeys(run.classes) if one is not None and real.knows(one)]
    seen = eye.look((x, of, of) for x, of in real.of(names))
    spread = {name: mean_distance(seen.features[[one == name for one in seen.classes]]) for name in names}
    worst = mean_ranks(run, eye)
    reader = zoo.features(judged.network(settings), list(LAYERS), activated=True, role="judge")
    by_place = [place_by_place(reader, torch.cat([x for x, _ in real.of([name])])) for name in names]
    points = [Point(name, spread[name], worst[name], math.nan, math.nan) for name in names]
    found = spearman("classes: Spearman of spread and log2_rank", [p.x for p in points], [p.y for p in points])
    ranks = [p.y for p in points]
    layered = [spearman("classes: Spearman of spread by place and log2_rank", by_place, ranks),
               spearman("classes: Spearman of the two spreads", [p.x for p in points], by_place)]  # fmt: skip
    last = sorted(points, key=lambda point: -point.y)[:WORST]
    named = [Measure(f"{p.name}: mean log2_rank", p.y, math.nan, math.nan, 1, f"spread {p.x:.3g}") for p in last]
    return Analysis(
        [found, *layered, *named],
        points,
        ("mean distance of a class's real images, judge's features", "mean log₂ rank at the judge"),
    )


def mean_distance(features: Tensor) -> float:
    """The mean Euclidean distance of all pairs of rows (N, D); NaN for fewer than two."""
    return float(torch.pdist(features.double()).mean()) if len(features) > 1 else math.nan


@torch.no_grad()
def place_by_place(network: Features, x: Tensor) -> float:
    """The mean distance of all pairs of images (N, 3, H, W): squared, of maps of unit length across channels.

    Averaged over places and added up over the layers. Of unit vectors the mean over pairs follows from their mean.
    """
    return sum(pairwise(F.normalize(value, dim=1)) for value in network.all(x).values())


def pairwise(maps: Tensor) -> float:
    """The squared distance (N, C, H, W) across channels, averaged over all pairs of images and all places."""
    count = len(maps)
    apart = maps.square().sum(1).mean(0) - maps.mean(0).square().sum(0)
    return float(2 * count / (count - 1) * apart.mean()) if count > 1 else math.nan


def mean_ranks(run: Finished, eye: judged.Eye) -> dict[str, float]:
    """By class, the mean log₂ rank of its pictures."""
    classes = [one or "" for one in run.classes]
    ranks = judged.log2_ranks(eye, [run.folder / row.image for row in run.rows], classes)
    by_class = defaultdict(list)
    for name, rank in zip(classes, ranks, strict=True):
        by_class[name].append(rank)
    return {name: sum(values) / len(values) for name, values in by_class.items()}
