"""The training callback: logging, evaluation, checkpoints, and the end of the run."""

import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning.callbacks import Callback
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from dgn.base import images
from dgn.base.errors import Stopped, UserError
from dgn.base.files import whole
from dgn.evaluation import inversion, verdict
from dgn.training.export import LATEST, Export

CHECKPOINT = "last.ckpt"
TIMED = 10  # iterations after the first one, from which the length of the run is estimated
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Keeper(Callback):
    """Seeds, logs, evaluates, draws, saves and stops by the module's own `iteration`, and counts its `images`.

    Lightning's `global_step` counts optimizer steps, of which an iteration here has none to two.

    Args:
        stop_at: `verdict.KEY` at which an evaluation ends the run early; None: train to the last iteration.
        export: writes the bundle of each evaluation but the last, whose bundle is the final one; None: no bundles.

    Attributes:
        stopped: the signal that ended the run before its last iteration, or None.
    """

    def __init__(
        self,
        output: Path,
        *,
        iterations: int,
        log_every: int,
        eval_every: int,
        save_minutes: float,
        snapshot_every: int | None = None,
        stop_at: float | None = None,
        export: Export | None = None,
    ) -> None:
        self.output, self.iterations, self.snapshot_every = output, iterations, snapshot_every
        self.stop_at, self.export = stop_at, export
        self.log_every, self.eval_every, self.save_minutes = log_every, eval_every, save_minutes
        self.stopped: int | None = None
        self.pace: float | None = None  # seconds of an iteration, at the last log
        self.broken: dict[str, Tensor] = {}
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), transient=True
        )

    def on_fit_start(self, trainer: Any, module: Any) -> None:
        self.task = self.bar.add_task("training", total=self.iterations, completed=module.iteration)
        trainer.should_stop = module.iteration >= self.iterations  # resumed when it was complete

    def on_train_start(self, trainer: Any, module: Any) -> None:
        if trainer.is_global_zero:
            self.bar.start()  # not before: reading the images has a bar of its own
        # Lightning's own handlers leave with 0 after SIGTERM and in the middle of an iteration after Ctrl-C
        if threading.current_thread() is threading.main_thread():
            self.handlers = {number: signal.signal(number, self._note) for number in SIGNALS}
        for logger in trainer.loggers:
            logger.rewind(module.iteration)  # what a killed run logged after its last checkpoint
        self.saved = time.monotonic()
        self.begun, self.timed_from = module.iteration, self.saved
        self._restart(module.iteration)

    def _note(self, number: int, _: Any) -> None:
        if self.stopped:  # asked twice: now
            raise Stopped(number, f"the last checkpoint is {self.output / CHECKPOINT}")
        self.stopped = number

    def _restart(self, done: int) -> None:
        self.seen, self.since, self.ended, self.waited = done, time.monotonic(), time.monotonic(), 0.0

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        self.waited += time.monotonic() - self.ended
        # dropout is a function of seed, iteration and rank, so that a resumed run draws what the whole one would
        state = np.random.SeedSequence((trainer.datamodule.seed, 2, module.iteration, trainer.global_rank))
        torch.manual_seed(int(state.generate_state(1, np.uint64)[0] >> 1))

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        done = module.iteration
        module.images += trainer.datamodule.batch_size * trainer.world_size  # this run's: a resumed one may have others
        last = done >= self.iterations
        stop, save = self._agree(trainer, last)
        log = done % self.log_every == 0 or last
        self._watch(module, outputs, read=log or save or module.device.type == "cpu")
        self._estimate(trainer, module, outputs)
        if log:
            self._log_step(trainer, module, outputs)
        if done % self.eval_every == 0 or last:
            began = time.monotonic()
            errors = self.evaluate(trainer, module)
            enough = self._enough(trainer, errors)
            if not (last or enough):
                self._write_latest(module, errors)
            stop, save = stop or enough, save or enough
            self.timed_from += time.monotonic() - began
            self._restart(done)
        if self.snapshot_every and done % self.snapshot_every == 0 and trainer.is_global_zero:
            module.write(self.output / "snapshots" / f"{done:08d}.safetensors")
        if save:
            self.save(trainer, module)
        trainer.should_stop = stop
        self.ended = time.monotonic()

    def _estimate(self, trainer: Any, module: Any, outputs: Mapping[str, Tensor]) -> None:
        """Print how fast the run is and how long its rest takes, once after the first iterations, and once more after
        those with pixels alone, which are faster than the others. Evaluations say it again, see `_left`."""
        alone = getattr(module, "pixels_first", 0)
        if module.iteration == alone:
            self.begun = alone
        timed = module.iteration - self.begun - 1  # without the first one, which also sets things up
        if timed not in {0, TIMED} or not trainer.is_global_zero:
            return
        float(next(iter(outputs.values())))  # waits for a GPU to finish this iteration
        if timed == 0:
            self.timed_from = time.monotonic()
            return
        seconds = (time.monotonic() - self.timed_from) / TIMED
        whole = module.iteration > alone
        left = (self.iterations if whole else alone) - module.iteration
        rate = trainer.datamodule.batch_size * trainer.world_size / seconds
        of_pixels = "" if whole else " with pixels alone, and longer for each of the others"
        text = f"about {duration(left * seconds)} left for {left:,} iterations{of_pixels}, without evaluations"
        if whole and self.export and self.eval_every < left:
            text += f"; every {duration(self.eval_every * seconds)} a bundle to look at, {self.output / LATEST}"
        self.bar.console.print(f"{rate:.3g} images/s: {text}", highlight=False, soft_wrap=True, markup=False)

    def _left(self, module: Any) -> str:
        """How long the rest takes at the speed of the last log, which a busy first minute does not distort; "" if it
        is not known or nothing is left."""
        left = self.iterations - module.iteration
        return "" if self.pace is None or left <= 0 else f"  about {duration(left * self.pace)} left"

    def _agree(self, trainer: Any, last: bool) -> tuple[bool, bool]:
        """Whether to stop and whether to save now: the same answer on every rank, whoever was asked."""
        stop = last or self.stopped is not None
        save = stop or time.monotonic() - self.saved > 60 * self.save_minutes
        if trainer.world_size > 1:
            flags = torch.tensor([stop, save], dtype=torch.float32, device=trainer.strategy.root_device)
            stop, save = (trainer.strategy.reduce(flags, reduce_op="sum") > 0).tolist()
            if stop and not last and self.stopped is None:
                self.stopped = int(signal.SIGTERM)
        return stop, save

    def _enough(self, trainer: Any, errors: Mapping[str, float]) -> bool:
        """Whether G is as good as `stop_at` asks: the same answer on every rank, of which the first one measures."""
        if self.stop_at is None:
            return False
        enough = bool(trainer.strategy.broadcast(self._reached(errors)))
        if enough and trainer.is_global_zero:
            text = f"{verdict.KEY} {errors[verdict.KEY]:.4g} is at most stop_at={self.stop_at:g}: training ends here"
            self.bar.console.print(text, highlight=False, soft_wrap=True)
        return enough

    def _reached(self, errors: Mapping[str, float]) -> bool:
        return self.stop_at is not None and errors.get(verdict.KEY, math.inf) <= self.stop_at

    def _watch(self, module: Any, outputs: Mapping[str, Tensor], read: bool) -> None:
        """End the run by the name of what is not finite; on a GPU this is read only now and then, not waited for."""
        for name, value in outputs.items():
            if name.startswith(("code/", "loss/")):
                self.broken[name] = self.broken.get(name, False) | ~torch.isfinite(value)
        if read:
            self._raise([name for name, flag in self.broken.items() if flag], module.iteration)

    def _raise(self, names: list[str], iteration: int) -> None:
        if names:
            good = self.output / CHECKPOINT
            kept = f"{good} is from before; set output={self.output} resume=true and" if good.exists() else "set"
            rate = "module.optimiser_g.lr" if self.export else "module.peak_lr"
            raise UserError(f"{names[0]} became NaN or inf at iteration {iteration}: {kept} a lower {rate}, or "
                            "trainer.precision=32-true")  # fmt: skip

    def _log_step(self, trainer: Any, module: Any, outputs: Mapping[str, Tensor]) -> None:
        # fp32: mps has no float64
        values = torch.stack([value.to(module.device, torch.float32) for value in outputs.values()])
        values = trainer.strategy.reduce(values, reduce_op="mean") if trainer.world_size > 1 else values
        now, done = time.monotonic(), module.iteration
        count = (done - self.seen) * trainer.datamodule.batch_size * trainer.world_size
        rate = count / max(now - self.since, 1e-9)
        rates = {
            "images_per_second": rate,
            "images_per_second/loader": count / max(self.waited, 1e-9),
            "images_per_second/step": count / max(now - self.since - self.waited, 1e-9),
            "unreadable": float(trainer.datamodule.skipped),
        }
        if self.seen >= getattr(module, "pixels_first", 0):  # iterations with pixels alone are faster
            self.pace = (now - self.since) / max(done - self.seen, 1)
        self._log(trainer, module, dict(zip(outputs, values.tolist(), strict=True)) | rates)
        self.bar.update(self.task, completed=done, description=f"{rate:.0f} images/s")
        self._restart(done)

    def _log(self, trainer: Any, module: Any, values: dict[str, float]) -> None:
        values["images"] = module.images
        for logger in trainer.loggers:
            logger.log_metrics(values, step=module.iteration)

    def _write_latest(self, module: Any, errors: Mapping[str, float]) -> None:
        """The bundle of this evaluation, only with finite weights."""
        if self.export is None:
            return
        self._check_weights(module)
        if self.export.moments is None:
            self.bar.update(self.task, description="measuring codes, once")
        self.export.latest(errors, lambda: self.stopped is not None)

    def _check_weights(self, module: Any) -> None:
        parameters = ((name, p) for name, p in module.named_parameters() if p.requires_grad)
        self._raise([name for name, p in parameters if not torch.isfinite(p).all()], module.iteration)

    def save(self, trainer: Any, module: Any) -> None:
        """Write the checkpoint for resuming, atomically, and only with finite weights."""
        self._check_weights(module)
        if trainer.is_global_zero:
            with whole(self.output / CHECKPOINT) as part:
                trainer.save_checkpoint(part)
        else:
            trainer.save_checkpoint(self.output / CHECKPOINT)  # writes nothing, but all ranks meet here
        self.saved = time.monotonic()

    @torch.no_grad()
    def evaluate(self, trainer: Any, module: Any) -> dict[str, float]:
        """Measure on the held-out images and draw the fixed ones; the first rank does it for all, others give {}."""
        if not trainer.is_global_zero:
            return {}
        module.eval()
        with trainer.precision_plugin.forward_context():
            summary = module.evaluate(self._held_out(trainer, module))
            picture = module.picture(self._examples(trainer, module)) if hasattr(module, "picture") else None
        module.train()
        self._log(trainer, module, {f"val/{name}": value for name, value in summary.items()})
        shown = {k: v for k, v in summary.items() if "unexplained" not in k or k == "unexplained/observer"}
        text = "  ".join(f"{name} {value:.4g}" for name, value in shown.items())
        left = "" if self._reached(summary) else self._left(module)
        line = f"iteration {module.iteration}  {text}{left}"
        self.bar.console.print(line, highlight=False, soft_wrap=True)
        if picture is not None:
            images.save(self.output / "grids" / f"{module.iteration:08d}.png", picture)
            for logger in trainer.loggers:
                logger.picture("reconstructions", picture, module.iteration, module.images)
        return summary

    @staticmethod
    def _held_out(trainer: Any, module: Any) -> Iterator[list[Tensor]]:
        for batch in trainer.datamodule.val_dataloader():
            yield [batch[0].to(module.device, module.dtype), *(part.to(module.device) for part in batch[1:])]

    @staticmethod
    def _examples(trainer: Any, module: Any) -> Tensor:
        return trainer.datamodule.examples(inversion.SHOWN).to(module.device, module.dtype)

    def _close(self) -> None:
        self.bar.stop()
        for number, handler in getattr(self, "handlers", {}).items():
            signal.signal(number, handler)
        self.handlers = {}

    def on_fit_end(self, trainer: Any, module: Any) -> None:
        self._close()

    def on_exception(self, trainer: Any, module: Any, exception: BaseException) -> None:
        self._close()


def duration(seconds: float) -> str:
    """A time in a suitable unit: "40 seconds", "12 minutes", "2.3 hours"."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"
