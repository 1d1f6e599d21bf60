"""The task of `synthesize.py`: from the config to a folder of pictures, tables and a page."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from torch import Tensor, nn

from dgn import loggers, report, settings
from dgn.base import images, lightning
from dgn.base.errors import UserError
from dgn.base.files import write_text
from dgn.base.instantiate import instantiate
from dgn.base.memo import Memo
from dgn.evaluation import judge
from dgn.evaluation.dataset_examples import real_images, relate, write_real_images
from dgn.evaluation.metrics import probabilities, ranks
from dgn.generators import bundle, loading, lookup
from dgn.networks import zoo
from dgn.report import results
from dgn.settings.check import check
from dgn.synthesis import resume
from dgn.synthesis.climb import Bar, Climbed, Rows, climb
from dgn.synthesis.provenance import contents, manifest, method, weights
from dgn.synthesis.settings import SynthesizeSettings
from dgn.units.target import Subject, load_subject


def run(config: DictConfig, output: Path) -> None:
    """Synthesize into `output`: one run, or one run per panel on one page."""
    if config.panels:
        results.panels(config)  # refuses what is no folder's name
        words = HydraConfig.get().overrides.task
        config.base_overrides += [word for word in words if not word.startswith(("experiment=", "output="))]
        for name, panel in panels(config).items():
            synthesize(panel, output / name)
        settings.write(config, output, "synthesize")
    else:
        synthesize(config, output)
    page = report.write_page([output], output, config.title)
    print(f"page: {page.resolve()}")


def panels(config: DictConfig) -> dict[str, DictConfig]:
    """A config for each panel: its own words after those of the command line, and the shard of the whole run."""
    own = {name: settings.words("synthesize", list(words)) for name, words in config.panels.items()}
    found = {name: settings.composed("synthesize", [*config.base_overrides, *words]) for name, words in own.items()}
    for panel in found.values():
        panel.config.shard = config.shard
        check(panel, SynthesizeSettings)
    return {name: panel.config for name, panel in found.items()}


def synthesize(
    config: DictConfig,
    output: Path,
    network: nn.Module | None = None,
    given: bundle.Bundle | None = None,
    memo: Memo | None = None,
    bar: bool = True,
) -> None:
    """One run: every unit and seed of one target with one prior; finished batches of an earlier run are reused.

    Args:
        network, given: a target and a prior from Python; otherwise both come from the config.
        memo: reuses what an earlier run loaded with the same settings.
        bar: whether to show a progress bar.
    """
    started = time.time()
    plain = settings.plain(config)
    plain["trainer"] = lightning.decided(plain["trainer"])
    found, subject = load(plain, network, given, memo)
    real = real_images(plain, subject, found.generator.size)  # before the climb: its mistakes are told at once
    rows = [(unit, plain["seed"] + s) for unit in subject.units for s in range(plain["seeds"])]
    firsts = resume.batches(len(rows), plain["batch_size"], plain["shard"])
    batches = {first: rows[first : first + plain["batch_size"]] for first in firsts}
    print(f"{results.count(len(subject.units), 'unit')} of {plain['target']['name']} {subject.target.layers[0]}, "
          f"{results.count(sum(map(len, batches.values())), 'picture')}; prior: {loading.name(plain)}")  # fmt: skip
    used = weights(plain)
    read = contents(plain, used, found, subject)
    resume.begin(output, plain, batches, used | read)
    if not (output / "manifest.json").exists():
        with loggers.observe(plain, output) as logs:
            climb_all(plain, found, subject, batches, output, bar)
            shown = {unit for batch in batches.values() for unit, _ in batch}
            chosen = {u: unit for u, unit in enumerate(subject.units) if unit in shown}
            joined = resume.join(output)
            if real is not None:
                best = write_real_images(*real, plain["real_images"], subject, chosen, output)
                joined = relate(joined, best)
            results.write(output / "results.csv", joined)
            report.write_grid(output)
            print(results.summary(joined))
            tell(logs, plain, output)
        seconds = time.time() - started
        how, layer = method(plain, found, subject), subject.target.layers[0]
        about = manifest(plain, used, read, how, layer, loading.name(plain), len(rows), seconds)
        write_text(output / "manifest.json", about)  # the last: with it the run is complete
    resume.remove(output)


def load(
    config: Mapping[str, Any],
    network: nn.Module | None = None,
    given: bundle.Bundle | None = None,
    memo: Memo | None = None,
) -> tuple[bundle.Bundle, Subject]:
    """The prior and the target of a config, those given, or those that `memo` has for the same settings.

    The target is checked on noise of the prior's shape, and the start, the prior's range and the optimiser are built
    once, so mistakes appear before anything is written.
    """
    memo = memo or Memo()
    device = memo("device", config["trainer"], lambda: one_device(config["trainer"]))
    made_from = [config["generator"], config["bundle"], config["bundle_filter"], weights(config)]
    found = given or memo("prior", made_from, lambda: loading.load_prior(config))
    instantiate(config["prior"], found.moments)
    instantiate(config["ascent"]["optimiser"])
    codes = instantiate(config["start"])(found, [config["seed"], config["seed"] + 1], config["ascent"]["noise"])
    with torch.no_grad():
        probe = found.generator(codes[:1])
    noise = torch.rand(2, *probe.shape[1:], generator=torch.Generator().manual_seed(0))
    subject = load_subject(config, noise, network, memo)
    check_seeds(config, codes, subject)
    subject.device = device
    if config["judge"]:
        subject.judge = load_judge(config, found, subject, memo)
    return found, subject


def one_device(trainer: Mapping[str, Any]) -> torch.device:
    """The device on which this trainer climbs; UserError for several."""
    built = lightning.trainer(trainer, [], [])
    if built.world_size > 1:
        raise UserError("synthesis uses one device: set trainer.devices=1, and start one run per device with shard=0/2 "
                        "and shard=1/2")  # fmt: skip
    return built.strategy.root_device


def check_seeds(config: Mapping[str, Any], codes: Tensor, subject: Subject) -> None:
    """UserError if several seeds would give the same picture: equal initial codes (2, ...) and no transforms."""
    ascent = config["ascent"]
    unmoved = not ascent["transform_strength"] or ascent["full_view_fraction"] == 1
    still = [unit for unit in subject.units if unmoved or subject.at_one_place(unit)]
    if config["seeds"] > 1 and still and torch.equal(codes[0], codes[1]):
        raise UserError(f"all {config['seeds']} seeds would give the same picture of {still[0].text}, because the "
                        "start has no noise and no transforms apply: set seeds=1")  # fmt: skip


def load_judge(config: Mapping[str, Any], given: bundle.Bundle, subject: Subject, memo: Memo) -> judge.Judge:
    """The judge of a config; UserError if it took part in making the pictures, or shares no class with the target."""
    node, target = config["judge"], config["target"]
    took_part = {"the target": zoo.identity(target), "the network that the generator inverts":
                 given.record.get("encoder_sha256")}  # fmt: skip
    found = memo("judge", (node, zoo.identity(node), took_part), lambda: judge.load(node, took_part))
    classes = subject.classes if subject.is_output else zoo.classes(target)
    if not classes:
        raise UserError(f"a judge needs class names, but the target {target['name']} has none: set "
                        "target.classes=imagenet or target.classes=FILE")  # fmt: skip
    if not any(map(found.knows, classes)):
        raise UserError(f"the judge {found.name} shares no class with the target {target['name']}: "
                        "set network@judge=ANOTHER")  # fmt: skip
    return found


def climb_all(
    config: dict[str, Any],
    given: bundle.Bundle,
    subject: Subject,
    batches: Mapping[int, Rows],
    output: Path,
    shown: bool = True,
) -> None:
    """Climb every batch that is not finished yet, keyed by its first row; `shown` controls the progress bar."""
    left = {first: batch for first, batch in batches.items() if not resume.done(output, first)}
    start = instantiate(config["start"])
    with Bar(sum(map(len, left.values())) * config["ascent"]["steps"], shown) as bar:
        for first, batch in left.items():
            bar.rows = len(batch)
            climbed = climb(config, given, subject, batch, bar, start=start)
            described = record(climbed, batch, first, output, subject)
            resume.save(output, first, climbed.codes, climbed.curves, described)


def tell(logs: Sequence[loggers.Log], config: Mapping[str, Any], output: Path) -> None:
    """Log a finished run: its bundle, its pictures with their scores, its summary numbers."""
    rows = results.read(output / "results.csv")
    for log in logs:
        if "_target_" not in config["generator"]:
            log.uses(lookup.find(config["bundle"], config["bundle_filter"]), "bundle")
        log.table("pictures", output, [asdict(row) for row in rows])
        log.measures(results.measures(rows))


def record(climbed: Climbed, rows: Rows, first: int, output: Path, subject: Subject) -> list[dict[str, Any]]:
    """Write a batch's pictures and give its rows as plain data."""
    described = describe(climbed, rows, first, subject)
    for row, image in zip(described, climbed.images, strict=True):
        images.save(output / row.image, image)
    return [asdict(row) for row in described]


def describe(climbed: Climbed, rows: Rows, first: int, subject: Subject) -> list[results.Row]:
    """The results table rows of a batch."""
    scores = subject.score([unit for unit, _ in rows])(climbed.activation)
    judged: Sequence[int | None] = [None] * len(rows)
    if subject.judge:
        with lightning.on_device(subject.device, subject.judge.network):
            wanted = [subject.wanted(unit) for unit, _ in rows]
            judged = subject.judge.ranks(climbed.images.to(subject.device), wanted)
    found = []
    for i, (unit, seed) in enumerate(rows):
        channel = unit.channel if subject.is_output else None
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
        found.append(row)
    return found


def slug(text: str) -> str:
    """A unit as part of a file name."""
    return "".join(c if c.isalnum() or c == "-" else "_" for c in text)[:60]
