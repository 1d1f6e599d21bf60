"""The task of `dgn synthesize`: from the config to a folder of pictures, tables and a page."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from torch import nn

from dgn import loggers, report, settings
from dgn.base import images, lightning
from dgn.base.files import write_text
from dgn.base.memo import Memo
from dgn.evaluation import patches
from dgn.evaluation.dataset_examples import (
    ENOUGH,
    compared,
    measure_levels,
    named,
    real_images,
    relate,
    write_real_images,
)
from dgn.evaluation.judge import Judge
from dgn.evaluation.metrics import probabilities, ranks
from dgn.evaluation.verdict import weak
from dgn.generators.bundle import Bundle
from dgn.report import results
from dgn.settings.check import check
from dgn.synthesis import initial_code, resume
from dgn.synthesis.climb import Bar, Climbed, Rows, climb
from dgn.synthesis.initial_code import Noise
from dgn.synthesis.inputs import bundle_file, prior_name, weights
from dgn.synthesis.load import decided, load, load_judge
from dgn.synthesis.provenance import contents, manifest, method
from dgn.synthesis.settings import SynthesizeSettings
from dgn.units.target import Target

OF_A_FACET = 3  # real images beside a picture of a facet
DEBUG_PANELS = 12  # of a run with debug=true


def run(config: SynthesizeSettings, output: Path) -> None:
    """Synthesize into `output`: one run, or one run per panel on one page."""
    if config.panels:
        results.panels({"panels": config.panels})  # refuses what is no folder's name
        words = [word for word in HydraConfig.get().overrides.task if not word.startswith(("experiment=", "output="))]
        config = config.model_copy(update={"base_overrides": [*config.base_overrides, *words]})
        memo = Memo()  # neighbours often have the same networks
        checked = panels(config, config.panels or {})
        if config.debug and len(checked) > DEBUG_PANELS:
            print(f"debug: the first {DEBUG_PANELS} of {len(checked)} panels")
            checked = dict(list(checked.items())[:DEBUG_PANELS])
            config = config.model_copy(update={"panels": {name: (config.panels or {})[name] for name in checked}})
        for name, panel in checked.items():
            synthesize(panel, output / name, memo=memo)
        settings.write(config.plain(), output, "synthesize")
    else:
        synthesize(config, output)
    page = report.write_page([output], output, config.title)
    print(f"page: {page.resolve()}")


def panels(config: SynthesizeSettings, words: Mapping[str, Sequence[str]]) -> dict[str, SynthesizeSettings]:
    """The settings of each panel: its own words, then the command line's, which win; the shard of the whole run."""
    checked = {}
    for name, overrides in words.items():
        composed = settings.composed("synthesize", [*settings.words("synthesize", overrides), *config.base_overrides])
        checked[name] = check(composed, SynthesizeSettings).model_copy(update={"shard": config.shard})
    return checked


def synthesize(
    config: SynthesizeSettings,
    output: Path,
    network: nn.Module | None = None,
    prior: Bundle | None = None,
    memo: Memo | None = None,
    bar: bool = True,
) -> None:
    """One run: every unit and seed of one target with one prior; finished batches of an earlier run are reused.

    Args:
        network, prior: a target and a prior from Python; otherwise both come from the settings.
        memo: reuses what an earlier run loaded with the same settings.
        bar: whether to show a progress bar.
    """
    started = time.time()
    config = decided(config, network)
    prior, target = load(config, network, prior, memo)
    judge = load_judge(config, prior, target, memo)
    # before the climb: its mistakes are told at once
    real = real_images(config.data, config.real_from, config.seed, target, prior.generator.size)
    measure_levels(target, real)
    cut = patches.cutter(target) if config.real_patches and real is not None else None
    rows = [(unit, config.seed + s) for unit in target.units for s in range(config.seeds)]
    firsts = resume.batches(len(rows), config.batch_size, config.shard)
    batches = {first: rows[first : first + config.batch_size] for first in firsts}
    print(f"{results.count(len(target.units), 'unit')} of {config.target.name} {target.layer}, "
          f"{results.count(sum(map(len, batches.values())), 'picture')}; prior: {prior_name(config)}")  # fmt: skip
    if said := weak(prior.record.get("errors", {})):
        print(f"warning: {said}; set bundle=auto data.root=DIR to compare those at hand, or train on "
              "(docs/nothing-to-see.md)")  # fmt: skip
    start = initial_code.of(config)
    if len(prior.generator.code_shape) == 3 and prior.record and type(start) is Noise:
        print("note: this generator inverts a map, and a climb from noise often exaggerates there; to begin at real "
              "images, set start=examples data.root=DIR (docs/facets.md)")  # fmt: skip
    used = weights(config)
    read = contents(config, used, prior, target)
    resume.begin(output, config, batches, used | read)
    if not (output / "manifest.json").exists():
        with loggers.observe(config, output) as logs:
            climb_all(config, prior, target, judge, batches, output, start, bar)
            shown = {unit for batch in batches.values() for unit, _ in batch}
            chosen = {u: unit for u, unit in enumerate(target.units) if unit in shown}
            joined = resume.join(output)
            if real is not None:
                best = write_real_images(*real, config.real_images, target, chosen, output, cut)
                if target.is_output and not named(target, real[0].classes):
                    print("no × best real: the outputs have no class names that match the folders of data.root; set "
                          "target.classes=FILE or target.classes=[a,b,c]")  # fmt: skip
                elif few := [unit for unit in chosen.values() if unit.text not in best and compared(target, unit)]:
                    print(f"no × best real for {results.count(len(few), 'unit')}: it needs {ENOUGH} real images of the "
                          "class, or of any kind for a hidden unit")  # fmt: skip
                joined = relate(joined, best)
                if hasattr(start, "add_images"):
                    start.add_images(prior, target, chosen, min(config.real_images, OF_A_FACET), output)
            results.write(output / "results.csv", joined)
            report.write_grid(output)
            print(results.summary(joined))
            tell(logs, config, output)
        seconds = time.time() - started
        how = method(config, prior, target, real)
        about = manifest(config, used, read, how, target.layer, len(rows), seconds)
        write_text(output / "manifest.json", about)  # the last: with it the run is complete
    resume.remove(output)


def climb_all(
    config: SynthesizeSettings,
    prior: Bundle,
    target: Target,
    judge: Judge | None,
    batches: Mapping[int, Rows],
    output: Path,
    start: Any,
    shown: bool = True,
) -> None:
    """Climb every batch that is not finished yet, keyed by its first row; `shown` controls the progress bar."""
    left = {first: batch for first, batch in batches.items() if not resume.done(output, first)}
    with Bar(sum(map(len, left.values())) * config.ascent.steps, shown) as bar:
        for first, batch in left.items():
            bar.rows = len(batch)
            climbed = climb(config, prior, target, batch, bar, start=start)
            described = record(climbed, batch, first, output, target, judge)
            resume.save(output, first, climbed.codes, climbed.curves, described)


def tell(logs: Sequence[loggers.Log], config: SynthesizeSettings, output: Path) -> None:
    """Log a finished run: its bundle, its pictures with their scores, its summary numbers."""
    rows = results.read(output / "results.csv")
    for log in logs:
        if file := bundle_file(config):
            log.uses(file, "bundle")
        log.table("pictures", output, [asdict(row) for row in rows])
        log.measures(results.measures(rows))


def record(
    climbed: Climbed, rows: Rows, first: int, output: Path, target: Target, judge: Judge | None
) -> list[dict[str, Any]]:
    """Write a batch's pictures and give its rows as plain data."""
    described = describe(climbed, rows, first, target, judge)
    for row, image in zip(described, climbed.images, strict=True):
        images.save(output / row.image, image)
    return [asdict(row) for row in described]


def describe(climbed: Climbed, rows: Rows, first: int, target: Target, judge: Judge | None = None) -> list[results.Row]:
    """The results table rows of a batch, with the judge's ranks if there is one."""
    scores = target.score([unit for unit, _ in rows])(climbed.activation)
    judged: Sequence[int | None] = [None] * len(rows)
    if judge:
        with lightning.on_device(target.device, judge.network):
            wanted = [target.wanted(unit) for unit, _ in rows]
            judged = judge.ranks(climbed.images.to(target.device), wanted)
    described = []
    for i, (unit, seed) in enumerate(rows):
        channel = unit.channel if target.is_output and target.maximised else None
        row = results.Row(
            row=first + i,
            unit=unit.text,
            label=unit.label,
            seed=seed,
            score=float(scores[i]),
            probability=None if channel is None else float(probabilities(climbed.activation[i : i + 1])[0, channel]),
            rank=None if channel is None else int(ranks(climbed.activation[i : i + 1], torch.tensor([channel]))),
            code_norm=float(climbed.codes[i].norm()),
            share_at_bound=float(climbed.at_bound[i]),
            state="done" if climbed.alive[i] else "dead",
            steps=int(climbed.taken[i]),
            seconds=climbed.seconds / len(rows),
            image=f"images/{first + i:05d}-{slug(unit.text)}-{seed}.png",
            judge_rank=judged[i],
        )
        described.append(row)
    return described


def slug(text: str) -> str:
    """A unit as part of a file name."""
    return "".join(c if c.isalnum() or c == "-" else "_" for c in text)[:60]
