"""What `synthesize.py` runs: the config in, a folder of pictures, tables and a page out."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra import compose
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import save_file
from torch import Tensor

from dgn import bundle, images, precision, report, results, units
from dgn.errors import UserError
from dgn.files import whole, write_text
from dgn.networks import zoo
from dgn.networks.check import check
from dgn.networks.features import Features
from dgn.synthesis.manifest import manifest
from dgn.synthesis.module import Synthesis
from dgn.synthesis.real import write_real_images


def run(config: DictConfig, output: Path) -> None:
    """Synthesize what the config asks for in `output`: one run, or one run a panel on one page."""
    torch.set_float32_matmul_precision("high")
    folders = [output]
    if config.panels:
        folders = [output / name for name in config.panels]
        for name, overrides in config.panels.items():
            one = compose("synthesize", overrides=[*overrides, f"+name={name}", f"debug={config.debug}"])
            synthesize(one, output / name)
    else:
        synthesize(config, output)
    page = report.write_page(folders, output, config.title or "What these units want to see")
    print(f"page: {page.resolve()}")


def synthesize(config: DictConfig, output: Path) -> None:
    """One run: every unit and seed of one target with one prior."""
    started = time.time()
    plain = OmegaConf.to_container(config, resolve=True)
    prior = load_prior(plain)
    target, chosen, activation = load_target(plain, prior.generator.size)
    rows = [(unit, plain["seed"] + s) for unit in chosen for s in range(plain["seeds"])]
    print(f"{len(chosen)} units of {plain['target']['name']} {target.layers[0]}, {len(rows)} rows; "
          f"prior: {prior_name(plain)}")  # fmt: skip
    write_text(output / "config.yaml", OmegaConf.to_yaml(config, resolve=True))
    done, codes, curves = [], [], []
    with Bar(len(rows) * plain["ascent"]["steps"]) as bar:
        for first in range(0, len(rows), plain["batch_size"]):
            batch = climb(plain, prior, target, rows[first : first + plain["batch_size"]], bar)
            done += list(record(batch, rows, first, output, activation.ndim == 2))
            codes.append(batch.module.code.detach().cpu())
            curves.append(batch.module.curve.T.cpu())
    results.write(output / "results.csv", done)
    with whole(output / "codes.safetensors") as part:
        save_file({"codes": torch.cat(codes).contiguous(), "curves": torch.cat(curves).contiguous()}, part)
    if plain["data"]["root"]:
        write_real_images(plain, target, chosen, output)
    write_text(output / "manifest.json", manifest(plain, prior_name(plain), time.time() - started))
    report.write_grid(output)


def prior_name(config: dict[str, Any]) -> str:
    """What the page calls the generator."""
    kind = config["generator"].get("_target_")
    return kind.rpartition(".")[2].lower() if kind else Path(config["bundle"]).name.removesuffix(".bundle.safetensors")


def load_prior(config: dict[str, Any]) -> bundle.Bundle:
    """The generator of the config with its own moments, or the bundle's."""
    if "_target_" not in config["generator"]:
        return bundle.load(bundle.find(config["bundle"]))
    generator = instantiate(config["generator"]).eval().requires_grad_(False)
    return bundle.Bundle(generator, generator.moments(), torch.empty(0, *generator.code_shape), {})


def load_target(config: dict[str, Any], size: int) -> tuple[Features, list[units.Unit], Tensor]:
    """The target read at the units' layer, the units, and the activation of a grey image; all checked."""
    node = config["target"]
    items = units.from_file(config["units_file"]) if config["units_file"] else config["units"]
    layer, items = units.split_layer(items)
    target = zoo.features(node, layer or node["layer"], config["activated"])
    probe = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    activation = check(target, probe)
    classes = zoo.classes(node)
    named = classes if classes and activation.ndim == 2 and activation.shape[1] == len(classes) else None
    return target, units.parse(items, activation.shape[1:], named), activation


class Batch:
    """Some rows after their climb."""

    def __init__(self, module: Synthesis, pictures: Tensor, activation: Tensor, seconds: float) -> None:
        self.module, self.pictures, self.activation, self.seconds = module, pictures, activation, seconds


def climb(
    config: dict[str, Any],
    prior: bundle.Bundle,
    target: Features,
    rows: Sequence[tuple[units.Unit, int]],
    bar: "Bar",
) -> Batch:
    """Run the ascent on some rows."""
    started = time.monotonic()
    ascent = config["ascent"]
    unit = prior.moments.scale if ascent["units"] == "std" else 1.0
    start = instantiate(config["start"])
    module = Synthesis(
        generator=prior.generator,
        target=target,
        score=units.scorer([unit for unit, _ in rows]),
        prior=instantiate(config["prior"], prior.moments),
        codes=start(prior, [seed for _, seed in rows], ascent["noise"] * unit).float(),
        optimiser=instantiate(ascent["optimiser"]),
        step=ascent["step"] * unit,
        end=ascent["end"] * unit,
        steps=ascent["steps"],
        render=ascent["render"],
    )
    settings = dict(config["trainer"])
    if settings["precision"] == "auto":
        settings["precision"] = precision.best("cuda" if settings["accelerator"] == "gpu" else "cpu")
    trainer = pl.Trainer(
        **settings,
        max_epochs=1,
        logger=False,
        callbacks=[bar],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, torch.utils.data.DataLoader(range(ascent["steps"])))
    with torch.no_grad():
        pictures = module.images().clamp(0, 1)
        activation = target(pictures)
    return Batch(module, pictures.cpu(), activation.cpu(), time.monotonic() - started)


def record(batch: Batch, rows: Sequence[tuple[units.Unit, int]], first: int, output: Path, output_layer: bool
           ) -> Iterator[results.Row]:  # fmt: skip
    """Write a batch's pictures and give its rows."""
    module = batch.module
    mine = rows[first : first + len(batch.pictures)]
    scores = units.scorer([unit for unit, _ in mine])(batch.activation)
    code = module.code.detach()
    bound = module.prior.at_bound(code).tolist()
    for i, (unit, seed) in enumerate(mine):
        image = f"images/{first + i:05d}-{slug(unit.text)}-{seed}.png"
        images.save(output / image, batch.pictures[i])
        own = batch.activation[i]
        yield results.Row(
            row=first + i,
            unit=unit.text,
            label=unit.label,
            seed=seed,
            score=float(scores[i]),
            probability=float(own.softmax(0)[unit.channel]) if output_layer else None,
            rank=int((own > own[unit.channel]).sum()) + 1 if output_layer else None,
            code_norm=float(code[i].norm()),
            share_at_bound=bound[i],
            state="done" if module.alive[i] else "dead",
            steps=int(module.taken[i]),
            seconds=batch.seconds / len(mine),
            image=image,
        )


def slug(text: str) -> str:
    """A unit as part of a file name."""
    return "".join(c if c.isalnum() or c == "-" else "_" for c in text)[:60]


class Bar(pl.Callback):
    """A progress bar over all rows' steps that shows the mean score."""

    def __init__(self, total: int) -> None:
        self.progress = Progress(TextColumn("mean score {task.fields[score]}"), BarColumn(),
                                 TextColumn("{task.percentage:>3.0f}%"), TimeRemainingColumn(), transient=True)  # fmt: skip
        self.task = self.progress.add_task("", total=total, score="–")

    def __enter__(self) -> "Bar":
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        shown = {}
        if batch_idx % 20 == 0:  # reading the score waits for the device
            shown["score"] = f"{float(module.curve[batch_idx].nanmean()):.2f}"
        self.progress.update(self.task, advance=len(module.code), **shown)
