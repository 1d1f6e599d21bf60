"""The quality of pictures against how alike the target and the encoder see real images."""

import re
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from dgn.evaluation import cka
from dgn.measures.intervals import Measure, spearman
from dgn.measures.real import RealImages
from dgn.networks.settings import NetworkSettings
from dgn.paper import judged
from dgn.paper.settings import PaperSettings
from dgn.paper.table import Analysis, Point

IMAGES, ENCODER = 2000, "caffenet64"  # real images; the run whose target is the encoder itself
LOG2_RANK = re.compile(r"(\w+): recognised/(?!target/)[^/]+/log2_rank")


def ladder(folder: Path, settings: PaperSettings, rows: Sequence[Measure]) -> Analysis:
    """A point a run: the CKA of its target and the encoder, and its pictures' mean log₂ rank at the judge."""
    real = judged.real_images(settings, 1)
    ranks = {match[1]: one for one in rows if (match := LOG2_RANK.fullmatch(one.name))}
    encoder = features(judged.target_of(folder / ENCODER), real)
    found, points = list[Measure](), list[Point]()
    for name, rank in ranks.items():
        alike = cka.linear(encoder, features(judged.target_of(folder / name), real))
        found.append(Measure(f"{name}: CKA with {ENCODER}", alike, float("nan"), float("nan"), len(encoder)))
        points.append(Point(name, alike, rank.value, rank.low, rank.high))
    over = spearman("targets: Spearman of CKA and log2_rank", [p.x for p in points], [p.y for p in points])
    return Analysis([*found, over], points, (f"linear CKA with {ENCODER}", "mean log₂ rank at the judge"))


def features(network: NetworkSettings, real: RealImages) -> Tensor:
    """What the last layer with weights gets of `IMAGES` real images, averaged over positions, (N, D)."""
    return judged.named(network).look((x, [None] * len(of), of) for x, of in real.spread(IMAGES)).features
