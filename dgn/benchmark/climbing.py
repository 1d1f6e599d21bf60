"""Rows × steps per second of our ascent, and of a literal transcription of the released procedure."""

import time
from collections.abc import Iterator
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from dgn.benchmark import PRECISIONS
from dgn.benchmark.cases import Case, build
from dgn.synthesis.climb import climb
from dgn.synthesis.initial_code import draw


class Clock(pl.Callback):
    """Notes when steps end, and ends the climb after `seconds`, but not before its third step."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.ends: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.ends.append(time.perf_counter())
        trainer.should_stop = len(self.ends) > 2 and self.ends[-1] - self.ends[0] > self.seconds

    @property
    def rate(self) -> float:
        """Steps a second, without the first."""
        return (len(self.ends) - 1) / (self.ends[-1] - self.ends[0])


def ours(case: str, batch: int, precision: str, seconds: float) -> dict[str, float]:
    """The climb as dgn synthesize runs it, without its files: `rate` in rows × steps a second."""
    built, clock = build(case), Clock(seconds)
    trainer = built.config.trainer | {"precision": PRECISIONS[precision]}
    config = built.config.model_copy(update={"batch_size": batch, "trainer": trainer})
    climb(config, built.prior, built.target, [(unit, 0) for unit in built.target.units[:batch]], clock)
    return {"rate": batch * clock.rate}


def released(case: str, weights: bool, seconds: float) -> dict[str, float]:
    """The literal procedure: `rate` in steps a second of its one row, and `flops` that a step takes of the networks.

    With `weights` the target's and G's weights have gradients, too, which Caffe computes on the way.
    """
    built, clock = build(case), Clock(seconds)
    flops = 0 if weights else count(built)
    begun = time.perf_counter()
    for _ in literally(built, weights):
        clock.ends.append(time.perf_counter())
        if len(clock.ends) > 2 and time.perf_counter() - begun > seconds:
            break
    return {"rate": clock.rate, "flops": flops}


def literally(case: Case, weights: bool) -> Iterator[Tensor]:
    """act_max.py, line by line, for the first unit and seed 0: the code after every step.

    One unit, fp32, NCHW; two stages: the target's input is moved, then the code towards what was moved.
    """
    ascent, moments = case.config.ascent, case.prior.moments
    unit = moments.scale if ascent.units == "std" else 1.0
    upper = moments.mean + 3 * moments.std
    generator, network = case.prior.generator, case.network
    for module in (generator, network):
        module.to(memory_format=torch.contiguous_format).requires_grad_(weights)
    channel, start, end = case.target.units[0].terms[0].channel, ascent.step * unit, ascent.end * unit
    code = ascent.noise * unit * draw(case.config.seed, generator.code_shape)[None]
    for i in range(ascent.steps):
        step = start + (end - start) * i / ascent.steps
        code = code.detach().requires_grad_()
        seen = case.see(generator, code)
        crop = seen.detach().requires_grad_()
        network(crop)[0, channel].backward()
        shift = cast(Tensor, crop.grad)
        moved = crop.detach() + step / shift.abs().mean() * shift
        seen.backward(moved - crop.detach())
        gradient = cast(Tensor, code.grad)
        code = code.detach() + step / gradient.abs().mean() * gradient
        code = torch.maximum(torch.minimum(code, upper), torch.zeros_like(code)) * 0.99
        yield code


def count(case: Case) -> int:
    """FLOPs of a row's step, a multiplication and an addition counting as two: forward, and back to the code."""
    code = torch.rand(1, *case.prior.generator.code_shape, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        case.target.score(case.target.units[:1])(case.target.features(case.prior.generator(code))).sum().backward()
    return counter.get_total_flops()
