"""Driven: how strongly pictures drive their units, against what real images do.

A picture drives its unit where it scores above the 95th percentile of real images, and suppresses it below the 5th.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from dgn import data
from dgn.base import lightning
from dgn.base.errors import UserError
from dgn.data.loader import BATCH
from dgn.data.settings import UNCHANGED, DataSettings
from dgn.evaluation.dataset_examples import ENOUGH, as_seen, scored
from dgn.measures.found import Found, Numbers, Unmeasured
from dgn.measures.subject import NO_DATA, Subject
from dgn.networks import class_names
from dgn.report.results import Row
from dgn.units.score_table import ScoreTable
from dgn.units.target import Target

Array = NDArray[np.float64]
MAXIMISED, MINIMISED = ("driven/percentile", "driven/above_95"), ("driven/low_percentile", "driven/below_5")
NO_RELATIVE = f"the run has none, and no unit has {ENOUGH} images that count among those scored: set real_from=train"


def measure(subject: Subject) -> list[Found]:
    """The score over the best real image's, and its percentile among the scores of all real images.

    Percentiles of minimised units, whose aim is the low end, stand apart. Dead pictures are left out.
    """
    try:
        scores, best = real_scores(subject)
    except UserError as error:
        scores, best = {}, {}
        why = str(error)
    else:
        why = ""
    return [relative(subject.run.rows, best, why), *percentiles(subject.run.rows, scores, why)]


def relative(rows: Sequence[Row], best: Mapping[str, float], why: str = "") -> Found:
    """The mean score over the best real image's: as the run measured it, or else over `best`, by unit, above zero."""
    alive = [row for row in rows if row.state != "dead"]
    values = [
        row.score / best[row.unit] if row.relative is None and best.get(row.unit, 0) > 0 else row.relative
        for row in alive
    ]
    pairs = [(value, row.unit) for value, row in zip(values, alive, strict=True) if value is not None]
    if not pairs:
        return Unmeasured("driven/relative", why or NO_RELATIVE)
    return Numbers("driven/relative", [value for value, _ in pairs], [unit for _, unit in pairs], note=_dead(rows))


def percentiles(rows: Sequence[Row], scores: Mapping[str, Array], why: str) -> list[Found]:
    """Percentiles of the rows' scores among real ones, by unit; and the shares beyond the 95th and the 5th."""
    found: list[Found] = []
    for names, minimised in ((MAXIMISED, False), (MINIMISED, True)):
        those = [row for row in rows if row.unit.startswith("-") is minimised and row.state != "dead"]
        if not those and (minimised or any(row.state != "dead" for row in rows)):
            continue
        if why or not those:
            found += [Unmeasured(name, why or "every picture is dead") for name in names]
            continue
        values = [percentile(row.score, scores[row.unit]) for row in those]
        values = [100 - value for value in values] if minimised else values  # a minimised unit's score is negated
        beyond = [float(value < 5 if minimised else value > 95) for value in values]
        units, note = [row.unit for row in those], _dead(rows)
        found.append(Numbers(names[0], values, units, note=note))
        found.append(Numbers(names[1], beyond, units, share=True, note=note))
    return found


def percentile(score: float, among: Array) -> float:
    """How many of the scores are lower, in %, equal ones counting half; NaN for a score that is not a number."""
    if math.isnan(score):
        return math.nan
    return float(100 * ((among < score).mean() + (among == score).mean() / 2))


def real_scores(subject: Subject) -> tuple[dict[str, Array], dict[str, float]]:
    """Scores of real images by the run's units, and the best one of each that has enough of its class.

    UserError without real images, or without the target.
    """
    if subject.tools.data is None:
        raise UserError(NO_DATA)
    target, which = subject.target, subject.settings.real_from
    contract, units = target.features.contract, tuple(unit.text for unit in target.units)
    seen = as_seen(subject.tools.data.resized(contract.size), contract, subject.run.shape[1:])
    seen = seen.model_copy(update={"val_images": subject.settings.among})
    key = ("scores", *subject.run.about["target"].values(), subject.run.about["weights"].get("target"), units)
    return subject.tools.once(key, lambda: _scores(seen, which, target))  # type: ignore[no-any-return]


def _scores(seen: DataSettings, which: str, target: Target) -> tuple[dict[str, Array], dict[str, float]]:
    module = data.build(seen, UNCHANGED, seed=0)
    count = len(module.train) if which == "train" else module.held_out
    batches: Iterable[Any] = module.plain(count) if which == "train" else module.val_dataloader()
    table = ScoreTable(target.units, target.objective).to(target.device)
    parts, classes = [], []
    with torch.no_grad(), lightning.on_device(target.device, target.features):
        for x, label, _ in track(
            batches,
            "scoring real images",
            -(-count // (BATCH if which == "train" else module.batch_size)),
            transient=True,
        ):
            parts.append(table(target.features(x.to(target.device))).cpu())
            classes.append(label)
    scores = torch.cat(parts).double().numpy()
    counts = np.bincount(torch.cat(classes).numpy(), minlength=len(module.classes)).tolist()
    enough = scored(target, target.units, dict(zip(class_names.readable(module.classes), counts, strict=True)))
    by_unit = {unit.text: scores[:, i] for i, unit in enumerate(target.units)}
    best = {unit.text: float(np.nanmax(by_unit[unit.text]))
            for unit, count in zip(target.units, enough, strict=True) if count >= ENOUGH}  # fmt: skip
    return by_unit, best


def _dead(rows: Sequence[Row]) -> str:
    dead = sum(row.state == "dead" for row in rows)
    return f"{dead} dead pictures left out" if dead else ""
