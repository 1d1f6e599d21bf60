"""Natural: how far pictures are from real images of the same classes and size, in what a judge sees.

KID is the squared maximum mean discrepancy with a cubic kernel (Bińkowski et al. 2018), without bias at any number of
pictures. The Fréchet distance (Heusel et al. 2017) has a large one, so it is left out below `LEAST` pictures a feature.
Both are named by the network and the layer whose inputs are compared: with other features the numbers are other ones.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import poly_kernel

from dgn.base.errors import UserError
from dgn.measures.found import Found, Statistic, Unmeasured
from dgn.measures.look import Eye, Seen
from dgn.measures.subject import NO_DATA, Subject
from dgn.report.results import count

LEAST = 10  # pictures for each feature, of either set, below which the Fréchet distance mostly shows their number
REST = ""  # the class of real images that belong to no unit: they are always compared with


def measure(subject: Subject) -> list[Found]:
    """KID and the Fréchet distance in every judge's features; beside it halves of the real images, and G's of them."""
    if not subject.tools.eyes:
        return [Unmeasured("natural/kid", "no judge: set network@judge=NAME judge.weights=FILE")]
    return [found for eye in subject.tools.eyes for found in of_eye(subject, eye)]


def of_eye(subject: Subject, eye: Eye) -> list[Found]:
    """What one judge's features tell."""
    kid, frechet = f"natural/kid/{eye!r}", f"natural/fd/{eye!r}"
    try:
        pictures, real = compared(subject, eye)
    except UserError as error:
        return [Unmeasured(kid, str(error)), Unmeasured(frechet, str(error))]
    first, second = halves(real)
    found = [distance(kid, pictures, real), distance(f"{kid}/real_halves", first, second)]
    found.append(fd(frechet, pictures, real))
    try:
        through = subject.seen_real(eye, subject.reconstruct) if subject.unit_of else None
        if through is not None:
            found.insert(1, distance(f"{kid}/reconstructions", through, real))
    except UserError as error:
        found.insert(1, Unmeasured(f"{kid}/reconstructions", str(error)))
    return found


def compared(subject: Subject, eye: Eye) -> tuple[Seen, Seen]:
    """The pictures that have real images of their class, and those; or all pictures, and images of all classes.

    The second is for units that are no classes. UserError without real images.
    """
    if subject.real is None:
        raise UserError(NO_DATA)
    pictures = subject.seen(eye)
    if not subject.unit_of:
        spread = subject.real.spread(len(subject.run.rows) * subject.settings.per_class)
        key = ("spread", subject.run.shape, id(eye), len(subject.run.rows))
        batches = ((x, names, [REST] * len(names)) for x, names in spread)
        return pictures, subject.tools.once(key, lambda: eye.look(batches))
    there = [unit in subject.unit_of.values() for unit in pictures.classes]
    return some(pictures, there), subject.seen_real(eye)


def some(seen: Seen, chosen: Sequence[bool]) -> Seen:
    """The chosen images of those that were seen."""
    kept = [i for i, one in enumerate(chosen) if one]
    return Seen([seen.ranks[i] for i in kept], seen.features[kept], [seen.classes[i] for i in kept])


def halves(seen: Seen) -> tuple[Seen, Seen]:
    """Every other image of each class, and the rest."""
    count: dict[str, int] = {}
    first = []
    for one in seen.classes:
        first.append(count.get(one, 0) % 2 == 0)
        count[one] = count.get(one, 0) + 1
    return some(seen, first), some(seen, [not one for one in first])


def distance(name: str, pictures: Seen, real: Seen) -> Found:
    """KID over all pictures and all real images, without subsets: their spread would not be that of the pictures."""
    if len(pictures.classes) < 2 or len(real.classes) < 2:
        return Unmeasured(name, "it needs two pictures and two real images")
    x, y = (seen.features.double() for seen in (pictures, real))
    within = Pairs(poly_kernel(x, x).numpy(), pictures.classes, pictures.classes, itself=False)
    others = Pairs(poly_kernel(y, y).numpy(), real.classes, real.classes, itself=False)
    across = Pairs(poly_kernel(x, y).numpy(), pictures.classes, real.classes)

    def kid(kept: Collection[str]) -> float:
        return within.mean(kept) + others.mean(kept) - 2 * across.mean(kept)

    note = "" if REST not in real.classes else "units are no classes: against real images of all classes"
    return Statistic(name, kid, pictures.classes, note)


class Pairs:
    """A number for each pair of images, summed by their classes: any classes may be left out at no cost.

    Args:
        values: (N, M).
        first, second: the classes of the N and the M images.
        itself: whether image i of the first may be paired with image i of the second.
    """

    def __init__(self, values: NDArray[Any], first: Sequence[str], second: Sequence[str], itself: bool = True) -> None:
        self.first, self.second = sorted(set(first)), sorted(set(second))
        counted = np.ones(values.shape) - (0 if itself else np.eye(*values.shape))
        rows, columns = _members(first, self.first), _members(second, self.second)
        self.sums = rows.T @ (values * counted) @ columns
        self.counts = rows.T @ counted @ columns

    def mean(self, kept: Collection[str]) -> float:
        """Over the pairs of these classes, and of `REST`; NaN where there is none."""
        rows = [i for i, one in enumerate(self.first) if one in kept or one == REST]
        columns = [i for i, one in enumerate(self.second) if one in kept or one == REST]
        count = self.counts[np.ix_(rows, columns)].sum()
        return float(self.sums[np.ix_(rows, columns)].sum() / count) if count else float("nan")


def _members(classes: Sequence[str], names: Sequence[str]) -> NDArray[np.float64]:
    return (np.asarray(classes, object)[:, None] == np.asarray(names, object)[None]).astype(float)


def fd(name: str, pictures: Seen, real: Seen) -> Found:
    """The Fréchet distance, where there are enough pictures."""
    dimensions = real.features.shape[1]
    fewest = min(len(pictures.classes), len(real.classes))
    if fewest < LEAST * dimensions:
        few = f"{count(fewest, 'image')} for {dimensions} features: the distance would mostly show their number"
        return Unmeasured(name, f"{few}; it needs {LEAST * dimensions} pictures and real images, KID does not")
    return Statistic(name, lambda kept: frechet(_of(pictures, kept), _of(real, kept)), pictures.classes)


def _of(seen: Seen, kept: Collection[str]) -> Tensor:
    return seen.features[[i for i, one in enumerate(seen.classes) if one in kept or one == REST]]


class Given(nn.Identity):
    """Features that are there already; with their number, so that none are tried of an image of 299 px."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.num_features: Any = count


def frechet(first: Tensor, second: Tensor) -> float:
    """The Fréchet distance between Gaussians of features (N, D) and (M, D), by torchmetrics, in float64."""
    metric = FrechetInceptionDistance(feature=Given(first.shape[1])).set_dtype(torch.float64)
    metric.update(first.double(), real=True)
    metric.update(second.double(), real=False)
    return float(metric.compute())
