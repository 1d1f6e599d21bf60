"""One training run: the loop's own clock, what is logged and kept, and when."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.callbacks import Callback
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dgn import images
from dgn.files import whole

CHECKPOINT = "last.ckpt"


class Keeper(Callback):
    """Logs, evaluates, draws, saves and stops by the module's own `iteration`.

    Lightning's `global_step` counts optimizer steps, of which an iteration here has none to two.
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
    ) -> None:
        self.output, self.iterations, self.snapshot_every = output, iterations, snapshot_every
        self.log_every, self.eval_every, self.save_minutes = log_every, eval_every, save_minutes
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), transient=True
        )

    def on_fit_start(self, trainer: Any, module: Any) -> None:
        self.saved = self.since = time.monotonic()
        self.seen = module.iteration
        if trainer.is_global_zero:
            self.bar.start()
        self.task = self.bar.add_task("training", total=self.iterations, completed=module.iteration)
        trainer.should_stop = module.iteration >= self.iterations  # resumed when it was complete

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        done = module.iteration
        last = done >= self.iterations
        if done % self.log_every == 0 or last:
            rate = self._rate(trainer, done)
            values = {name: float(value) for name, value in outputs.items()}
            self._log(trainer, module, values | {"images_per_second": rate})
            self.bar.update(self.task, completed=done, description=f"{rate:.0f} images/s")
        if done % self.eval_every == 0 or last:
            self.evaluate(trainer, module)
            self.since, self.seen = time.monotonic(), done
        if self.snapshot_every and done % self.snapshot_every == 0 and trainer.is_global_zero:
            module.write(self.output / "snapshots" / f"{done:08d}.safetensors")
        if last or time.monotonic() - self.saved > 60 * self.save_minutes:
            self.save(trainer)
        if last:
            trainer.should_stop = True

    def _rate(self, trainer: Any, done: int) -> float:
        now = time.monotonic()
        images_seen = (done - self.seen) * trainer.datamodule.batch_size * trainer.world_size
        rate = images_seen / max(now - self.since, 1e-9)
        self.since, self.seen = now, done
        return rate

    def _log(self, trainer: Any, module: Any, values: dict[str, float]) -> None:
        values["images"] = module.iteration * trainer.datamodule.batch_size * trainer.world_size
        for logger in trainer.loggers:
            logger.log_metrics(values, step=module.iteration)

    def save(self, trainer: Any) -> None:
        """The checkpoint from which the run goes on, whole or not at all."""
        if trainer.is_global_zero:
            with whole(self.output / CHECKPOINT) as part:
                torch.save(trainer._checkpoint_connector.dump_checkpoint(weights_only=False), part)
        self.saved = time.monotonic()

    @torch.no_grad()
    def evaluate(self, trainer: Any, module: Any) -> None:
        """Measure on the held-out images and draw the fixed ones."""
        if not trainer.is_global_zero:
            return
        module.eval()
        with trainer.precision_plugin.forward_context():
            summary = module.evaluate(self._held_out(trainer, module))
            picture = module.picture(next(self._held_out(trainer, module))[0]) if hasattr(module, "picture") else None
        module.train()
        self._log(trainer, module, {f"val/{name}": value for name, value in summary.items()})
        text = "  ".join(f"{name} {value:.4g}" for name, value in summary.items())
        self.bar.console.print(f"iteration {module.iteration}  {text}", highlight=False, soft_wrap=True)
        if picture is not None:
            images.save(self.output / "grids" / f"{module.iteration:08d}.png", picture)

    @staticmethod
    def _held_out(trainer: Any, module: Any) -> Iterator[list[torch.Tensor]]:
        for batch in trainer.datamodule.val_dataloader():
            yield [part.to(module.device) for part in batch]

    def on_fit_end(self, trainer: Any, module: Any) -> None:
        self.bar.stop()

    def on_exception(self, trainer: Any, module: Any, exception: BaseException) -> None:
        self.bar.stop()
