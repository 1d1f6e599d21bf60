"""The judge of the paper's claims, and what it says of pictures that are no single class's."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from dgn import settings
from dgn.base import images
from dgn.base.errors import UserError
from dgn.base.typed import validated
from dgn.data.settings import DataSettings
from dgn.evaluation import judge
from dgn.measures.look import Eye
from dgn.measures.real import RealImages
from dgn.networks import zoo
from dgn.networks.settings import NetworkSettings
from dgn.paper.settings import PaperSettings
from dgn.report import results
from dgn.units.parsing import parse

BATCH, SIDE = 32, 64  # pictures that are judged at a time; of the pictures, pixels


def eye(paper: PaperSettings) -> Eye:
    """The judge of conf/paper.yaml; UserError where its weights are not set or missing."""
    return Eye(judge.load(network(paper), {}), torch.device("cpu"))


def network(paper: PaperSettings) -> NetworkSettings:
    """The settings of the judge, a SqueezeNet; UserError where its weights are not set."""
    typed = [paper.filled(word) for word in ("network@judge=squeezenet1_1", "judge.weights={judge_weights}")]
    node = settings.plain(settings.composed("measure", settings.words("measure", typed)).config)["judge"]
    return validated(NetworkSettings, node, "judge.")


def named(target: NetworkSettings) -> Eye:
    """A network as an eye, to ask what it names real images; UserError where its outputs have no names."""
    one = judge.named(target, "target")
    if one is None:
        raise UserError(f"{target.name} has no class names: set target.classes of its run")
    return Eye(one, torch.device("cpu"))


def log2_ranks(seen_by: Eye, pictures: Sequence[Path], classes: Sequence[str]) -> list[float]:
    """Of each picture's class, log₂ of its rank at the judge; NaN where it has no such class."""
    ranks: list[int | None] = []
    for start in range(0, len(pictures), BATCH):
        x = torch.stack([images.saved(path) for path in pictures[start : start + BATCH]])
        ranks += seen_by.judge.ranks(x, list(classes[start : start + BATCH]))
    return [math.nan if rank is None else math.log2(rank) for rank in ranks]


def names_of(run: Path, rows: Sequence[results.Row]) -> list[list[str]]:
    """Of each row's unit the names of the classes in it, two for a sum of two."""
    names = zoo.classes(target_of(run)) or []
    units = [parse([row.unit], (len(names),), names)[0] for row in rows]
    return [[names[term.channel] for term in unit.terms if term.channel is not None] for unit in units]


def real_images(paper: PaperSettings, per_class: int, *words: str) -> RealImages:
    """Held-out images, 64 px, of {images}; `words` change where they are. UserError where that is not set."""
    typed = [paper.filled(word) for word in ("data.root={images}", *words)]
    node = settings.plain(settings.composed("measure", settings.words("measure", typed)).config)["data"]
    return RealImages(validated(DataSettings, node, "data."), SIDE, 3, per_class)


def target_of(run: Path) -> NetworkSettings:
    """The settings of a finished run's target."""
    return validated(NetworkSettings, (settings.read(run) or {})["target"], "target.")
