"""Trusted: how far networks are led by changes that people do not see.

Finished pictures, and real photographs, are changed by at most a bound, rms, so that the target gives a *wrong* class.
What moves is a method's own freedom: pixels, Fourier coefficients, the code of the run's G. Whatever a judge gains for
the wrong class by that, it could have gained for the right one in the same way: its figures of a method are read beside
this number. A freedom that cannot lead a network so gains nothing that eyes do not see.
"""

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from dgn.base import images, lightning
from dgn.base.errors import UserError
from dgn.evaluation.metrics import ranks
from dgn.generators.pixels import Pixels
from dgn.measures.found import Found, Numbers, Unmeasured, log2
from dgn.measures.freedoms import Changed, LinearFourier, Within
from dgn.measures.look import Eye
from dgn.measures.settings import TrustedSettings
from dgn.measures.subject import NO_CLASS, NO_DATA, Subject
from dgn.networks.features import Features
from dgn.synthesis.ascent import NormalisedGradient, climb_adam
from dgn.synthesis.module import Synthesis
from dgn.synthesis.shown import bare
from dgn.synthesis.transforms import Parts
from dgn.units.objective import LogProbability, Scorer
from dgn.units.parsing import parse

BATCH = 16  # pictures that climb together
BEFORE = "before"


@dataclass(frozen=True)
class Led:
    """Pictures and the classes towards which they are changed.

    Attributes:
        images: (N, C, H, W) in [0, 1], as they are before.
        codes: of G, (N, *code_shape), from which its freedom starts; or why it has none.
        units: what each was made for: pictures of one unit are alike.
        right: the name of each one's class.
        wrong: the name of another class.
    """

    images: Tensor
    codes: Tensor | str
    units: list[str]
    right: list[str]
    wrong: list[str]


def measure(subject: Subject) -> list[Found]:
    """What the target and the judges see before and after, from finished pictures and from real photographs."""
    found: list[Found] = []
    for start, which in ((finished, ""), (photographs, "/real")):
        try:
            found += _of(subject, start(subject), which)
        except UserError as error:
            found.append(Unmeasured(f"trusted/target/wrong_top1{which}", str(error)))
    return found


def finished(subject: Subject) -> Led:
    """The run's pictures that were made for a class, spread evenly; UserError for none."""
    run, known = subject.run, draws(subject)
    rows = [i for i, name in enumerate(run.classes) if name in known]
    if not rows:
        raise UserError("no picture was made for a class that the target and all judges know")
    rows = spread(rows, subject.settings.trusted.pictures)
    right = [str(run.classes[i]) for i in rows]
    shown = torch.stack([images.saved(run.folder / run.rows[i].image) for i in rows])
    wrong = [other(name, known, run.rows[i].seed, subject) for name, i in zip(right, rows, strict=True)]
    return Led(shown, codes_or_why(subject, lambda: run.codes[rows]), [run.units[i] for i in rows], right, wrong)


def photographs(subject: Subject) -> Led:
    """One real image of each of the pictures' classes, of the pictures' size; UserError for none."""
    if subject.real is None:
        raise UserError(NO_DATA)
    known = draws(subject)
    names = [name for name in subject.unit_of if name in known]
    if not names:
        raise UserError(NO_CLASS)
    shown, right = subject.real.first(spread(sorted(names), subject.settings.trusted.pictures))
    wrong = [other(name, known, 0, subject) for name in right]
    codes = codes_or_why(subject, lambda: subject.encode(shown).cpu())
    return Led(shown, codes, [subject.unit_of[name] for name in right], right, wrong)


def spread(some: Sequence[Any], most: int) -> list[Any]:
    """At most so many of them, spread evenly."""
    return [some[i] for i in np.linspace(0, len(some) - 1, min(len(some), most)).astype(int)]


def codes_or_why(subject: Subject, find: Callable[[], Tensor]) -> Tensor | str:
    """Codes of the run's G, or why there are none: then only pixels and Fourier coefficients can move."""
    try:
        return find() if subject.generator else ""
    except UserError as error:
        return str(error)


def draws(subject: Subject) -> list[str]:
    """The classes that may be drawn: those of the target that every judge knows, too. UserError for fewer than two."""
    target, names = subject.target, subject.target.classes or []
    judges = [eye.judge for eye in subject.tools.eyes]
    known = [name for name in names if names.count(name) == 1 and all(judge.knows(name) for judge in judges)]
    if not target.is_output or len(known) < 2:
        raise UserError("the target and the judges share no classes to be led to: measure a run of classes")
    return known


def other(right: str, known: Sequence[str], draw: int, subject: Subject) -> str:
    """A wrong class for a right one: a function of the seed, the right class, the number of the draw, and no more."""
    random = np.random.default_rng((subject.settings.trusted.seed, zlib.crc32(right.encode()), draw))
    return str(random.choice([name for name in known if name != right]))


@dataclass(frozen=True)
class Freedom:
    """What may move pictures, and how.

    Attributes:
        generator: from codes to pictures.
        start: a code for each picture, (N, *code_shape), at which it is unchanged.
        optimiser: partial of an optimizer that climbs.
        step: of the first step, in units of the noise on a code that changes a picture by the bound.
    """

    generator: nn.Module
    start: Tensor
    optimiser: Callable[..., torch.optim.Optimizer]
    step: float


def freedoms(subject: Subject, led: Led) -> dict[str, Freedom]:
    """Pixels, Fourier coefficients as the libraries move them (Adam), and the code of the run's G if it has one."""
    count, (channels, side, _) = len(led.images), subject.run.shape
    pixels, fourier = Pixels(size=side, channels=channels), LinearFourier(size=side, channels=channels)
    every = {
        "pixels": Freedom(pixels, torch.zeros(count, *pixels.code_shape), NormalisedGradient, 0.25),
        "fourier": Freedom(fourier, torch.zeros(count, *fourier.code_shape), climb_adam, 0.1),
    }
    if isinstance(led.codes, Tensor) and not isinstance(bare(subject.generator), Pixels):
        every["code"] = Freedom(subject.generator, led.codes, NormalisedGradient, 0.25)
    return every


def _of(subject: Subject, led: Led, which: str) -> list[Found]:
    """All findings of one kind of start."""
    states, found = {BEFORE: led.images}, list[Found]()
    for name, freedom in freedoms(subject, led).items():
        states[name] = climb(subject, led, freedom)
        size = (states[name] - led.images).flatten(1).square().mean(1).sqrt()
        found.append(Numbers(f"trusted/percent_changed/{name}{which}", (100 * size).tolist(), led.units))
    if isinstance(led.codes, str):
        found.append(Unmeasured(f"trusted/percent_changed/code{which}", led.codes))
    found += _seen_by_target(subject, led, states, which)
    for eye in subject.tools.eyes:
        found += _seen_by(eye, led, states, which)
    return found


def climb(subject: Subject, led: Led, freedom: Freedom) -> Tensor:
    """The pictures after the climb towards their wrong classes, as they would be saved, (N, C, H, W)."""
    settings, target, names = subject.settings, subject.target, subject.target.classes or []
    made = []
    for first in range(0, len(led.images), BATCH):
        part = slice(first, first + BATCH)
        changed = Changed(freedom.generator, led.images[part], freedom.start[part])
        wrong = parse([names.index(name) for name in led.wrong[part]], (len(names),), None)
        module = lead(changed, target.features, Scorer(wrong, LogProbability()), freedom, settings.trusted)
        trainer = lightning.trainer(settings.trainer | {"precision": "32-true"}, [], [], max_epochs=1)
        steps: Any = torch.arange(settings.trusted.steps)
        trainer.fit(module, DataLoader(steps, generator=torch.Generator()))
        with torch.no_grad():
            made.append(images.from_uint8(images.to_uint8(module.cpu().images())))
    return torch.cat(made)


def lead(
    changed: Changed,
    target: Features,
    score: Callable[[Tensor], Tensor],
    freedom: Freedom,
    settings: TrustedSettings,
) -> Synthesis:
    """The ascent that changes pictures, by the bound at most, so that the score of each rises.

    The target sees each picture whole, as it is measured.
    """
    return Synthesis(
        generator=changed,
        target=target,
        score=score,
        prior=Within(changed, settings.bound),
        codes=changed.start.clone(),
        seeds=range(len(changed.start)),
        views=Parts(),
        optimiser=freedom.optimiser,
        step=freedom.step * changed.unit(settings.bound),
        end=0.0,
        steps=settings.steps,
        moves=[0.0] * len(changed.start),
        whole=0.0,
        render="last",
    )


def _seen_by_target(subject: Subject, led: Led, states: Mapping[str, Tensor], which: str) -> list[Found]:
    """How often the target itself names the wrong class, and the right one, in each state."""
    target, names = subject.target, subject.target.classes or []
    found: list[Found] = []
    for kind, classes in (("wrong", led.wrong), ("right", led.right)):
        labels = torch.tensor([names.index(name) for name in classes])
        for state, x in states.items():
            with torch.no_grad(), lightning.on_device(target.device, target.features):
                scores = torch.cat([target.features(part.to(target.device)).cpu() for part in x.split(BATCH)])
            first = (ranks(scores, labels) == 1).double().tolist()
            found.append(Numbers(f"trusted/target/{kind}_top1/{state}{which}", first, led.units, share=True))
    return found


def _seen_by(eye: Eye, led: Led, states: Mapping[str, Tensor], which: str) -> list[Found]:
    """A judge's mean log₂ rank of the wrong and of the right class in each state, and by how much each has moved."""
    found: list[Found] = []
    for kind, classes in (("wrong", led.wrong), ("right", led.right)):
        seen = {state: [log2(rank) for rank in eye.look([(x, classes, classes)]).ranks] for state, x in states.items()}
        for state, values in seen.items():
            name = f"trusted/{eye.name}/{kind}_log2_rank/{state}{which}"
            found.append(Numbers(name, values, led.units))
            if state != BEFORE:
                moved = [before - after for before, after in zip(seen[BEFORE], values, strict=True)]
                gained = [value if math.isfinite(value) else math.nan for value in moved]
                found.append(Numbers(f"trusted/{eye.name}/{kind}_gained/{state}{which}", gained, led.units))
    return found
