"""A small run with everything that a measure may ask for, in memory but for its pictures."""

import math

import pytest
import torch

from dgn.base import images
from dgn.data.settings import DataSettings
from dgn.evaluation.judge import Judge
from dgn.measures.finished import Finished
from dgn.measures.look import Eye
from dgn.measures.settings import LpipsSettings, MeasureSettings, TrustedSettings, TwoAlternativeSettings
from dgn.measures.subject import Subject, Tools
from dgn.networks.features import OUTPUT, Features
from dgn.report.results import Row
from dgn.units.objective import Logit, Scorer
from dgn.units.parsing import parse
from dgn.units.target import Target
from tests.conftest import Tiny

CLASSES = ["apple", "bread", "cup", "dog", "egg", "fox", "gong"]
CPU = torch.device("cpu")


def make_rows(units, seeds, scores=None):
    """Rows of units × seeds; ranks 1, 2, 3, 4, 1, …"""
    pairs = [(unit, seed) for unit in units for seed in range(seeds)]
    scores = [1.0 + i for i in range(len(pairs))] if scores is None else scores
    return [
        Row(i, unit, unit, seed, scores[i], 0.5, 1 + i % 4, 1.0, 0.1, "done", 4, 0.1, f"images/{unit}-{seed}.png")
        for i, (unit, seed) in enumerate(pairs)
    ]


def make_network(contract, seed=0):
    """A tiny network at its output."""
    torch.manual_seed(seed)
    return Features(Tiny(len(CLASSES)), OUTPUT, contract, activated=True)


@pytest.fixture
def subject(tmp_path, contract, images_in):
    """A run under measurement: `subject(rows)`; its pictures depend on their file names alone."""
    root = tmp_path / "real"
    for c, name in enumerate(CLASSES[:4]):
        images_in(root / "train" / name, 3, first=100 + 10 * c, side=16)
        images_in(root / "val" / name, 4, first=10 * c, side=16)
    data = DataSettings(name="imagefolder", root=str(root), resize=16, crop=16, batch_size=5, workers=0, memory_gib=1.0,
                        val_images=None, max_unreadable=0.0, sources={"_target_": "dgn.data.sources.imagefolder",
                        "root": str(root), "held_out": 20, "size": 16})  # fmt: skip
    judge = Judge(make_network(contract, 1), CLASSES, "tiny")

    def build(rows, measures=(), per_class=4, eyes=1, real=True, weights=None):
        settings = MeasureSettings.model_construct(
            measures=list(measures), judge=None, judges={}, per_class=per_class, real_from="val", among=None,
            data=data, trainer={"accelerator": "cpu", "devices": 1, "precision": "32-true"}, sheet=None, answers=None,
            trusted=TrustedSettings(bound=0.2, steps=4, pictures=9, seed=0),
            two_alternative=TwoAlternativeSettings(
                references=2, trials=1, above=[50.0, 100.0], below=[0.0, 50.0], seed=0
            ),
            lpips=LpipsSettings(backbone="squeeze", weights=weights), output=None,
        )  # fmt: skip
        for row in rows:
            draw = torch.Generator().manual_seed(sum(map(ord, row.image)))
            images.save(tmp_path / row.image, torch.rand(3, 16, 16, generator=draw))
        about = {"target": {"name": "tiny", "layer": "out"}, "weights": {}, "contents": {"classes": "x"}}
        run = Finished(tmp_path, about, {}, list(rows))
        run.__dict__["classes"] = [row.unit if row.unit in CLASSES else None for row in rows]
        made = Subject(run, Tools(settings, [Eye(judge, CPU)] * eyes, data if real else None, CPU))
        units = parse(list(dict.fromkeys(row.unit for row in rows)), (len(CLASSES),), CLASSES)
        target = Target(make_network(contract), units, lambda some: Scorer(some, Logit()), True, CLASSES)
        made.__dict__ |= {"target": target, "reconstruct": lambda x: 1 - x}
        return made

    return build


def same(one, other):
    """Whether two measures have the same numbers, NaN included."""
    pairs = [(getattr(one, key), getattr(other, key)) for key in ("value", "low", "high", "n")]
    return one.name == other.name and all(
        (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-6) for a, b in pairs
    )
