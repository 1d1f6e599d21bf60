"""Do pictures show the neuron or the prior? Units of altered classes, told from the others by what took no part."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from dgn.measures.finished import Finished
from dgn.measures.intervals import Measure, between_shares, mean_over_classes, share
from dgn.measures.real import RealImages
from dgn.paper import judged
from dgn.paper.settings import PaperSettings
from dgn.paper.table import Analysis

KINDS = ("bgr", "mosaic", "blur")
PER_CLASS = 10  # held-out images of a class, as they are and altered
BINS = 6  # of a channel, in a colour histogram
Told = Callable[[Tensor], Tensor]  # features or pictures to 1 where they are called altered, 0 where not


def altered(folder: Path, settings: PaperSettings, rows: Sequence[Measure]) -> Analysis:
    """Of each alteration the share of pictures called altered: of altered classes ("twin") and of the others ("plain").

    By a logistic regression on the judge's features that has seen real images of the even classes, as they are and
    altered; what it gets right of real images of the pictures' classes stands beside it. For BGR also by histograms.
    """
    eye, found = judged.eye(settings), list[Measure]()
    for kind in KINDS:
        real = judged.real_images(settings, PER_CLASS, "data=altered", f"data.sources.alteration={kind}")
        half = len(real.names.classes) // 2
        even = [name for i, name in enumerate(real.names.classes) if i % half % 2 == 0]
        seen = [
            eye.look((x, of, of) for x, of in real.of(names)) for names in (even, _classes(folder / kind, half, real))
        ]
        labels = [torch.tensor([real.names.find(one) >= half for one in one.classes]) for one in seen]  # type: ignore[operator]
        told = logistic(seen[0].features, labels[0])
        right = (told(seen[1].features) == labels[1]).double().tolist()
        found.append(mean_over_classes(f"{kind} real: told right", right, seen[1].classes))
        run = Finished.read(folder / kind)
        pictures = eye.look((x, [None] * len(x), [""] * len(x)) for x in run.batches()).features
        found += _shares(kind, "called altered", told(pictures), run, half)
        if kind == "bgr":
            x = torch.cat(list(run.batches()))
            found += _shares(kind, "colours of the altered", nearer(x, *_means(real, run, half)), run, half)
    return Analysis(found)


def _channels(run: Finished) -> list[int]:
    return [int(unit) for unit in run.units]


def _classes(folder: Path, half: int, real: RealImages) -> list[str]:
    """The names of a run's classes and of their twins."""
    plain = sorted({channel % half for channel in _channels(Finished.read(folder))})
    return [real.names.classes[i + twin] for i in plain for twin in (0, half)]


def _shares(kind: str, what: str, called: Tensor, run: Finished, half: int) -> list[Measure]:
    """The share of twins and of plain classes, and their difference."""
    values, channels = called.tolist(), _channels(run)
    sides = [[(v, str(c % half)) for v, c in zip(values, channels, strict=True) if (c >= half) is twin]
             for twin in (True, False)]  # fmt: skip
    (twins, twin_classes), (plain, classes) = ([list(part) for part in zip(*side, strict=True)] for side in sides)
    found = share(f"{kind} twin: {what}", twins, twin_classes), share(f"{kind} plain: {what}", plain, classes)
    return [*found, between_shares(f"{kind} twin − {kind} plain: {what}", *found)]


def logistic(x: Tensor, y: Tensor, penalty: float = 1e-3) -> Told:
    """A logistic regression of features (N, D) and labels (N,) of truth, with a small L2 penalty."""
    mean, std = x.mean(0), x.std(0).clamp_min(1e-6)
    weights = torch.zeros(x.shape[1] + 1, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

    def scores(values: Tensor) -> Tensor:
        return ((values - mean) / std) @ weights[1:] + weights[0]

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.binary_cross_entropy_with_logits(scores(x), y.float()) + penalty * weights[1:].square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return lambda values: scores(values).detach() > 0


def histogram(x: Tensor) -> Tensor:
    """(N, BINS³) of pictures (N, 3, H, W) in [0, 1]: the share of pixels of each colour."""
    cells = (x * BINS).long().clamp(0, BINS - 1).flatten(2)
    number = (cells[:, 0] * BINS + cells[:, 1]) * BINS + cells[:, 2]
    return F.one_hot(number, BINS**3).double().mean(1)


def nearer(x: Tensor, plain: Tensor, altered: Tensor) -> Tensor:
    """Whether the colours of pictures (N, 3, H, W) are nearer to `altered` than to `plain`, (N, BINS³), by χ²."""
    found = histogram(x)

    def distance(other: Tensor) -> Tensor:
        return ((found - other).square() / (found + other).clamp_min(1e-12)).sum(1)

    return distance(altered) < distance(plain)


def _means(real: RealImages, run: Finished, half: int) -> tuple[Tensor, Tensor]:
    """Of each picture's class the mean histogram of its real images, as they are and altered; each (N, BINS³)."""
    names = _classes(run.folder, half, real)
    sums: dict[str, list[Tensor]] = {name: [] for name in names}
    for x, of in real.of(names):
        for name, one in zip(of, histogram(x), strict=True):
            sums[name].append(one)
    mean = {name: torch.stack(parts).mean(0) for name, parts in sums.items()}
    called = real.names.classes
    plain = [mean[called[channel % half]] for channel in _channels(run)]
    return torch.stack(plain), torch.stack([mean[called[channel % half + half]] for channel in _channels(run)])
