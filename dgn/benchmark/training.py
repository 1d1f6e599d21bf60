"""Speed of the Lightning loop against a loop by hand, in alternating blocks so both see the same machine load."""

import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from dgn import data
from dgn.base import lightning
from dgn.base.instantiate import instantiate
from dgn.base.precision import prepared
from dgn.benchmark import PRECISIONS
from dgn.benchmark.cases import training
from dgn.data.sources import Source
from dgn.training import tasks
from dgn.training.callbacks import Keeper
from dgn.training.deepsim import DeepsimTraining
from dgn.training.settings import GeneratorSettings


class Random(Source):
    """Images of noise, as many as a class's worth."""

    size, classes = 64, ("noise",)

    def __init__(self, count: int) -> None:
        self.labels = np.zeros(count, np.int64)
        self.pixels = np.random.default_rng(0).integers(0, 256, (count, self.size, self.size, 3), np.uint8)

    def load(self, index: int) -> np.ndarray:
        return self.pixels[index]

    def name(self, index: int) -> str:
        return f"noise {index}"


class Turns(pl.Callback):
    """Measures the time of blocks of iterations: in turn of the loop that it is in, and of `other`."""

    def __init__(self, other: Iterator[None], block: int) -> None:
        self.other, self.block = other, block
        self.loop: list[float] = []
        self.hand: list[float] = []

    def on_train_start(self, trainer: Any, module: Any) -> None:
        self.begun, self.done = time.perf_counter(), 0

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.done += 1
        if self.done % self.block == 0:
            self.loop.append(time.perf_counter() - self.begun)
            begun = time.perf_counter()
            with torch.enable_grad():
                for _ in range(self.block):
                    next(self.other)
            self.begun = time.perf_counter()
            self.hand.append(self.begun - begun)


def turns(precision: str, blocks: int, block: int) -> dict[str, Any]:
    """Images per second of both loops, and the median over blocks of Lightning's speed divided by the other's.

    The first block of each does not count. The last iteration, which also evaluates and saves, is not timed.
    """
    iterations = (blocks + 1) * block + 1
    config = training("data=photos", f"iterations={iterations}", f"eval_every={iterations}")
    datamodule, module = batches(config), build(config)
    copied = deepcopy(module)
    by_hand = Turns(hand(copied, batches(config).train_dataloader(), precision), block)
    settings = config.trainer | {"precision": PRECISIONS[precision]}
    with TemporaryDirectory() as folder:
        keeper = Keeper(
            Path(folder),
            iterations=iterations,
            log_every=config.log_every,
            eval_every=config.eval_every,
            save_minutes=config.save_minutes,
        )
        trainer = lightning.trainer(settings, [keeper, by_hand], [], max_epochs=-1, limit_val_batches=0)
        with prepared(module.encoder, copied.encoder):
            trainer.fit(module, datamodule=datamodule)
    pairs = list(zip(by_hand.loop, by_hand.hand, strict=True))[1:]
    images = datamodule.batch_size * block
    return {
        "loop": images * len(pairs) / sum(a for a, _ in pairs),
        "hand": images * len(pairs) / sum(b for _, b in pairs),
        "share": statistics.median(b / a for a, b in pairs),
    }


def batches(config: GeneratorSettings) -> data.DataModule:
    """The data module of these settings, with images of noise that are in memory."""
    return data.build(config.data, config.augment, config.seed, sources=(Random(1024), Random(64)))


def build(config: GeneratorSettings) -> DeepsimTraining:
    """The training module as dgn train builds it, with the shipped encoder."""
    loss = instantiate(config.loss)
    encoder, comparator = tasks.encoder_and_comparator(config, loss["feature"])
    code = encoder(torch.rand(32, 3, 64, 64))
    generator = tasks.build_generator(config.generator, code)
    return tasks.assembled(config, loss, encoder, comparator, generator, kept=None, begun={})


def hand(module: DeepsimTraining, images: Iterable[Sequence[Tensor]], precision: str) -> Iterator[None]:
    """The same iterations without Lightning: only the networks, losses and optimisers of `module`."""
    E, G, D = module.encoder, module.generator, module.discriminator  # noqa: N806
    step_g, step_d = module.configure_optimizers()
    kind, weight = module.adversarial["kind"], module.adversarial["weight"]
    for x, *_ in images:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            with torch.no_grad():
                seen = E.all(x)
            code = seen[E.layers[0]]
            y = G(code)
            if module.balance.train_d:
                real, fake = D(torch.cat([x, y.detach()]), torch.cat([code, code])).chunk(2)
                (weight * (kind.real(real) + kind.fake(fake))).backward()
                step_d.step()
                step_d.zero_grad()
            D.requires_grad_(False)
            terms, weights = module.terms(x, y, code, seen), module.weights()
            torch.stack([weights[name] * value for name, value in terms.items()]).sum().backward()
            step_g.step()
            step_g.zero_grad()
            D.requires_grad_(True)
        module.balance.step(0.0, 0.0, 0.0)  # the losses do not matter to it
        module.iteration += 1
        yield
