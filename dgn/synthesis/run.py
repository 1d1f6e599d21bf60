"""What `synthesize.py` runs: the config in, a folder of pictures, tables and a page out."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor

from dgn import bundle, images, report, results, units
from dgn import config as settings
from dgn.files import write_text
from dgn.networks import zoo
from dgn.networks.check import check
from dgn.networks.features import Features
from dgn.synthesis import parts
from dgn.synthesis.climb import Bar, Climbed, Rows, climb
from dgn.synthesis.manifest import manifest
from dgn.synthesis.real import write_real_images


def run(config: DictConfig, output: Path) -> None:
    """Synthesize what the config asks for in `output`: one run, or one run a panel on one page."""
    folders = [output]
    if config.panels:
        folders = [output / name for name in config.panels]
        for name, panel in panels(config).items():
            synthesize(panel, output / name)
        settings.write(config, output, "synthesize")
    else:
        synthesize(config, output)
    page = report.write_page(folders, output, config.title or "What these units want to see")
    print(f"page: {page.resolve()}")


def panels(config: DictConfig) -> dict[str, DictConfig]:
    """A config a panel: its own words after those of the command line."""
    typed = [word for word in HydraConfig.get().overrides.task if not word.startswith(("experiment=", "output="))]
    return {name: compose("synthesize", overrides=[*typed, *words]) for name, words in config.panels.items()}


def synthesize(config: DictConfig, output: Path) -> None:
    """One run: every unit and seed of one target with one prior; batches that an earlier run left are kept."""
    torch.set_float32_matmul_precision("high")
    started = time.time()
    plain = settings.plain(config)
    if "_target_" not in plain["generator"]:
        plain["bundle"] = str(bundle.find(plain["bundle"], plain["inverts"]))
    prior = load_prior(plain)
    target, chosen, is_output = load_target(plain, prior.generator.size)
    rows = [(unit, plain["seed"] + s) for unit in chosen for s in range(plain["seeds"])]
    firsts = parts.batches(len(rows), plain["batch_size"], plain["shard"])
    batches = {first: rows[first : first + plain["batch_size"]] for first in firsts}
    count = sum(map(len, batches.values()))
    print(f"{len(chosen)} units of {plain['target']['name']} {target.layers[0]}, {count} rows; "
          f"prior: {prior_name(plain)}")  # fmt: skip
    parts.begin(output, config)
    if not (output / "manifest.json").exists():
        with Bar(count * plain["ascent"]["steps"]) as bar:
            for first, batch in batches.items():
                if not parts.done(output, first):
                    climbed = climb(plain, prior, target, batch, bar)
                    found = record(climbed, batch, first, output, is_output)
                    parts.save(output, first, climbed.codes, climbed.curves, found)
        shown = {unit for batch in batches.values() for unit, _ in batch}
        finish(plain, target, {u: unit for u, unit in enumerate(chosen) if unit in shown}, output)
        about = manifest(plain, prior_name(plain), len(rows), time.time() - started)
        write_text(output / "manifest.json", about)  # the last: with it the run is complete
    parts.remove(output)


def finish(config: dict[str, Any], target: Features, chosen: Mapping[int, units.Unit], output: Path) -> None:
    """Join the parts into the tables, and draw; `chosen` are the units by their place among all of the run."""
    rows = parts.join(output)
    if config["data"]["root"]:
        write_real_images(config, target, chosen, output)
    report.write_grid(output)
    print(results.summary(rows))


def prior_name(config: dict[str, Any]) -> str:
    """What the page calls the generator."""
    kind = config["generator"].get("_target_")
    return kind.rpartition(".")[2].lower() if kind else Path(config["bundle"]).name.removesuffix(".bundle.safetensors")


def load_prior(config: dict[str, Any]) -> bundle.Bundle:
    """The generator of the config with its own moments, or the bundle's."""
    if "_target_" not in config["generator"]:
        return bundle.load(Path(config["bundle"]))
    generator = instantiate(config["generator"]).eval().requires_grad_(False)
    return bundle.Bundle(generator, generator.moments(), torch.empty(0, *generator.code_shape), {})


def load_target(config: dict[str, Any], size: int) -> tuple[Features, list[units.Unit], bool]:
    """The target read at the units' layer and checked, the units, and whether the layer is the network's output."""
    node = config["target"]
    items = units.from_file(config["units_file"]) if config["units_file"] else config["units"]
    layer, items = units.split_layer(items)
    target = zoo.features(node, layer or node["layer"], config["activated"])
    probe = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    activation = check(target, probe)
    classes = zoo.classes(node)
    named = classes if classes and activation.ndim == 2 and activation.shape[1] == len(classes) else None
    return target, units.parse(items, activation.shape[1:], named), target.is_output(probe, activation)


def record(climbed: Climbed, rows: Rows, first: int, output: Path, is_output: bool) -> list[dict[str, Any]]:
    """Write a batch's pictures and give its rows as plain data."""
    scores = units.scorer([unit for unit, _ in rows])(climbed.activation)
    found = []
    for i, (unit, seed) in enumerate(rows):
        image = f"images/{first + i:05d}-{slug(unit.text)}-{seed}.png"
        images.save(output / image, climbed.images[i])
        row = results.Row(
            row=first + i,
            unit=unit.text,
            label=unit.label,
            seed=seed,
            score=float(scores[i]),
            probability=float(climbed.activation[i].softmax(0)[unit.channel]) if is_output else None,
            rank=rank(climbed.activation[i], unit.channel) if is_output else None,
            code_norm=float(climbed.codes[i].norm()),
            share_at_bound=float(climbed.at_bound[i]),
            state="done" if climbed.alive[i] else "dead",
            steps=int(climbed.taken[i]),
            seconds=climbed.seconds / len(rows),
            image=image,
        )
        found.append(asdict(row))
    return found


def rank(activation: Tensor, channel: int) -> int:
    """The place of an element of (D,), from 1 for the highest."""
    return int((activation > activation[channel]).sum()) + 1


def slug(text: str) -> str:
    """A unit as part of a file name."""
    return "".join(c if c.isalnum() or c == "-" else "_" for c in text)[:60]
