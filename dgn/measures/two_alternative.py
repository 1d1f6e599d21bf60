"""The two-alternative task: do references that show a unit tell which of two natural images drives it more?

People are given nine pictures that drive a unit, nine of its opposite, and two natural images (Borowski et al. 2021;
Zimmermann et al. 2023). Here a network that took no part answers (after the machine interpretability score, 2024): an
image leans to the references that its features are more like, and of two images the one that leans more to what drives
the unit is the answer. 0.5 is guessing. Of people it knows nothing: their page is `dgn.measures.sheet`.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import normalize

from dgn.base.errors import UserError
from dgn.measures import sheet, trials
from dgn.measures.found import Found, Numbers, Unmeasured
from dgn.measures.look import Eye
from dgn.measures.subject import Subject
from dgn.measures.trials import References, Trials

KINDS = ("natural", "synthetic", "shuffled")


def measure(subject: Subject) -> list[Found]:
    """The share of right answers of every judge, by the references that it was shown; and of people, if they answered.

    Natural references are the images that drive the unit most and least, synthetic ones are the run's pictures,
    shuffled ones the pictures of another unit. The queries are the same.
    """
    found: list[Found] = []
    settings = subject.settings.two_alternative
    try:
        made = trials.make(subject, settings)
    except UserError as error:
        found = [Unmeasured(f"two_alternative/{kind}", str(error)) for kind in KINDS]
    else:
        for eye in subject.tools.eyes:
            found += of_eye(made, eye, trials.percentiles(settings))
        if not subject.tools.eyes:
            found = [Unmeasured(f"two_alternative/{kind}", "no judge: set network@judge=NAME") for kind in KINDS]
        if subject.settings.sheet:
            sheet.write(made, subject, subject.settings.sheet)
    return found + sheet.people(subject)


def of_eye(made: Sequence[Trials], eye: Eye, which: str) -> list[Found]:
    """One judge's shares, and by how much each kind of references helps more than the next."""
    natural, synthetic = (
        [of_references(eye, shown) for shown in kind] for kind in zip(*map(_references, made), strict=True)
    )
    units, right = [], {kind: list[float]() for kind in KINDS}
    for i, one in enumerate(made):
        queries = [features(eye, one.queries[:, place]) for place in (0, 1)]
        units += [one.unit] * len(one.queries)
        shuffled = synthetic[(i + 1) % len(made)]  # of another unit; of its own where it is the only one
        for kind, shown in zip(KINDS, (natural[i], synthetic[i], shuffled), strict=True):
            right[kind] += answers(*shown, *queries)
    name = f"two_alternative/{eye.name}"
    found: list[Found] = [
        Numbers(f"{name}/{kind}/{which}", right[kind], units, share=0.5 not in right[kind]) for kind in KINDS
    ]
    for better, worse in pairwise(KINDS):
        gain = [a - b for a, b in zip(right[better], right[worse], strict=True)]
        found.append(Numbers(f"{name}/{better}_minus_{worse}/{which}", gain, units))
    return found


def _references(one: Trials) -> tuple[References, References]:
    return one.natural, one.synthetic


def of_references(eye: Eye, shown: References) -> tuple[Tensor, Tensor]:
    """The features of the references, (K, D) each."""
    return features(eye, shown.above), features(eye, shown.below)


def features(eye: Eye, x: Tensor) -> Tensor:
    """A judge's features (N, D) of images (N, C, H, W) in [0, 1]."""
    return eye.look([(x, [None] * len(x), [""] * len(x))]).features


def answers(above: Tensor, below: Tensor, first: Tensor, second: Tensor) -> list[float]:
    """Whether each first query is taken for the one that drives the unit more: 1, 0, or 0.5 where nothing tells.

    Args:
        above: features of the references that drive the unit, (K, D).
        below: of those that suppress it.
        first: of the queries that drive it more, (T, D).
        second: of the others.
    """
    towards = normalize(above, dim=1).mean(0) - normalize(below, dim=1).mean(0)
    lean = (normalize(first, dim=1) - normalize(second, dim=1)) @ towards  # a difference of mean cosines
    return ((torch.sign(lean) + 1) / 2).tolist()
