"""Run the ascent on a batch of rows and collect the results."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

import pytorch_lightning as pl
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from dgn import units
from dgn.base import lightning, precision
from dgn.base.errors import UserError
from dgn.base.instantiate import instantiate
from dgn.generators.bundle import Bundle
from dgn.synthesis import initial_code
from dgn.synthesis.evolution import sampler
from dgn.synthesis.generations import Generations
from dgn.synthesis.module import Synthesis
from dgn.synthesis.settings import SynthesizeSettings
from dgn.units.target import Target

Rows = Sequence[tuple[units.Unit, int]]  # unit and seed


@dataclass
class Climbed:
    """A batch after its climb, on the CPU.

    Attributes:
        images: (N, 3, H, W) in [0, 1].
        activation: of the layer for those images, (N, D) or (N, C, H, W); by layer where units are in several.
        codes: the final codes; curves: (N, steps) scores before each step, NaN from a row's end on.
        alive: (N,) False for dead rows; taken: (N,) steps; at_bound: (N,) share of the code's elements.
        seconds: wall time.
    """

    images: Tensor
    activation: Any
    codes: Tensor
    curves: Tensor
    alive: Tensor
    taken: Tensor
    at_bound: Tensor
    seconds: float


def climb(
    config: SynthesizeSettings,
    prior: Bundle,
    target: Target,
    rows: Rows,
    *callbacks: pl.Callback,
    start: Any = None,
) -> Climbed:
    """Run the ascent of the config on a batch of rows; `callbacks` such as `Bar` and `Watch` observe it.

    A row's last bits depend on the batch size, and over 200 steps they lead to another picture. On two cores they also
    depend on the row's place in a batch of five, six or seven. So a batch smaller than `batch_size` is padded to the
    next power of two by repeating the first row; a search's is not, whose populations are computed one by one. The
    networks are on the CPU before and after.

    Args:
        start: gives the initial codes; None makes the config's. A run of many batches makes it once. One that depends
            on the rows' units has a method `for_units(target, units)`, which gives one for these.
    """
    started, count = time.monotonic(), len(rows)
    ascent = config.ascent
    optimiser = instantiate(ascent.optimiser)
    kind: Any
    score: Any
    if sampler(optimiser):
        if isinstance(target.objective, units.Alternate):
            raise UserError("a search without a gradient follows no single term: set objective=logit")
        kind, score = Generations, [target.score([unit] * optimiser.keywords["population"]) for unit, _ in rows]
    else:
        rows = [*rows, *[rows[0]] * (batch_of(count, config.batch_size) - count)]
        kind, score = Synthesis, target.score([unit for unit, _ in rows])
    seeds = [seed for _, seed in rows]
    unit = prior.moments.scale if ascent.units == "std" else 1.0
    start = start or initial_code.of(config)
    if hasattr(start, "for_units"):
        start = start.for_units(target, [unit for unit, _ in rows])
    module = kind(
        generator=prior.generator,
        target=target.features,
        score=score,
        prior=instantiate(config.prior, prior.moments),
        codes=start(prior, seeds, ascent.noise * unit).float(),
        seeds=seeds,
        views=instantiate(ascent.transforms),
        optimiser=optimiser,
        step=ascent.step * unit,
        end=ascent.end * unit,
        steps=ascent.steps,
        moves=[0.0 if target.at_one_place(unit) else ascent.transform_strength for unit, _ in rows],
        whole=ascent.full_view_fraction,
        render=ascent.render,
    )
    trainer = lightning.trainer(config.trainer, callbacks, [], max_epochs=1)
    steps: Any = torch.arange(ascent.steps)
    loader = torch.utils.data.DataLoader(steps, generator=torch.Generator())  # the caller's own would be moved on
    with precision.prepared(prior.generator, target.features):
        trainer.fit(module, train_dataloaders=loader)
    with torch.no_grad(), lightning.on_device(trainer.strategy.root_device, module):
        images = module.images().clamp(0, 1)
        return Climbed(
            images=images[:count].cpu(),
            activation=_rows(target.features(images), count),
            codes=module.code.detach()[:count].cpu(),
            curves=module.curve.T[:count].cpu(),
            alive=module.alive[:count].cpu(),
            taken=module.taken[:count].cpu(),
            at_bound=module.prior.at_bound(module.code.detach())[:count].cpu(),
            seconds=time.monotonic() - started,
        )


def _rows(activation: Any, count: int) -> Any:
    """The first rows of an activation, or of each, on the CPU."""
    if isinstance(activation, Tensor):
        return activation[:count].cpu()
    return {layer: x[:count].cpu() for layer, x in activation.items()}


def batch_of(rows: int, most: int) -> int:
    """The padded batch size for `rows` rows: the next power of two, at most `most`."""
    return min(most, 1 << (rows - 1).bit_length())


class Bar(pl.Callback):
    """A progress bar over all steps of all rows, with the mean score; `rows` is the size of the running batch.

    On stderr, so that a call from Python can be silent on stdout and still show it.
    """

    def __init__(self, total: int, shown: bool = True) -> None:
        self.rows, console = 0, Console(stderr=True)
        self.progress = Progress(
            TextColumn("mean score {task.fields[score]}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(), transient=True, console=console,
            disable=not (shown and (console.is_terminal or console.is_jupyter)),
        )  # fmt: skip
        self.task = self.progress.add_task("", total=total, score="–")

    def __enter__(self) -> "Bar":
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.progress.update(self.task, advance=self.rows)
        if batch_idx % 20 == 0:  # reading the score waits for the device
            self.progress.update(self.task, score=f"{float(module.curve[batch_idx].nanmean()):.2f}")


class Watch(pl.Callback):
    """Reports the rows during the climb, and ends it once `stopped` is set; it does not change the climb.

    Args:
        show: called with the pictures (N, C, H, W) and the scores so far (steps, N), both on the CPU.
        every: minimum seconds between two calls.
        stopped: an event that ends the climb.

    Attributes:
        steps: iterations so far.
    """

    def __init__(self, show: Callable[[Tensor, Tensor], None], every: float, stopped: Event) -> None:
        self.show, self.every, self.stopped = show, every, stopped
        self.steps, self.due = 0, 0.0

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.steps = batch_idx + 1
        trainer.should_stop = self.stopped.is_set()
        if time.monotonic() >= self.due:
            self.show(module.images().clamp(0, 1).cpu(), module.curve[: self.steps].cpu())
            self.due = time.monotonic() + self.every
