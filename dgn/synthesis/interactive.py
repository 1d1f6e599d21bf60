"""Watch, stop and keep the climb of one row. The explorer shows it; this module knows nothing of the page."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any

from torch import Tensor

from dgn import report
from dgn.base.errors import UserError
from dgn.base.files import claim
from dgn.evaluation.dataset_examples import measure_levels, real_images
from dgn.report import results
from dgn.synthesis import resume, run
from dgn.synthesis.climb import Climbed, Watch, climb
from dgn.synthesis.inputs import weights
from dgn.synthesis.load import decided, load, load_judge
from dgn.synthesis.provenance import contents
from dgn.synthesis.settings import SynthesizeSettings
from dgn.units.wanted import Level

EVERY = 0.15  # seconds between two shots; the eye follows no faster


@dataclass(frozen=True)
class Shot:
    """The state of a climb at one moment.

    Attributes:
        image: (C, H, W) in [0, 1].
        scores: (steps so far,) before each step, NaN where the climb was dead.
        row: what is known of the final picture; None while it climbs.
    """

    image: Tensor
    scores: Tensor
    row: results.Row | None


class Live:
    """The climb of one unit and one seed of `dgn synthesize`'s config, with its own network and prior.

    UserError for an inconsistent config, or one with more than one picture.

    Attributes:
        config: after a stop, the settings of the shorter climb.
        changed: the keys that a stop has changed.
    """

    def __init__(self, config: SynthesizeSettings) -> None:
        self.config = decided(config)
        self.prior, self.target = load(self.config)
        self.judge = load_judge(self.config, self.prior, self.target)
        if len(self.target.units) * self.config.seeds != 1:
            raise UserError("the explorer makes one picture at a time: enter one unit, such as lemon or "
                            "0.5*lemon+0.5*orange, and set seeds=1")  # fmt: skip
        if isinstance(self.target.objective, Level):
            side = self.prior.generator.size
            real = real_images(self.config.data, self.config.real_from, self.config.seed, self.target, side)
            measure_levels(self.target, real)
        self.rows = [(self.target.units[0], self.config.seed)]
        self.changed: dict[str, Any] = {}
        self._stopped = Event()
        self._climbed: Climbed | None = None

    def stop(self) -> None:
        """End the climb after the current step."""
        self._stopped.set()

    def shots(self) -> Iterator[Shot]:
        """Climb, and show it several times a second; the last shot has `row`. Closing the iterator stops the climb."""
        seen: SimpleQueue[Shot | None] = SimpleQueue()
        watch = Watch(lambda images, curve: seen.put(Shot(images[0], curve[:, 0], None)), EVERY, self._stopped)
        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(climb, self.config, self.prior, self.target, self.rows, watch)
            work.add_done_callback(lambda _: seen.put(None))
            try:
                while (shot := seen.get()) is not None:
                    yield shot
            finally:
                self.stop()
        self._climbed = work.result()
        self._shorten(watch.steps)
        (row,) = run.describe(self._climbed, self.rows, 0, self.target, self.judge)
        yield Shot(self._climbed.images[0], self._climbed.curves[0], row)

    def _shorten(self, steps: int) -> None:
        """Make a climb that was stopped one that can be repeated: the step falls as far as it had fallen by then."""
        ascent, climbed = self.config.ascent, self._climbed
        if climbed is None or steps == ascent.steps:
            return
        total = ascent.steps
        end = ascent.step + (ascent.end - ascent.step) * steps / total
        end = float(f"{end:.12g}")  # to be read; the step itself is a float32
        whole = max(0, steps - (total - round(ascent.full_view_fraction * total))) / steps
        now = {"steps": steps, "end": end, "full_view_fraction": float(f"{whole:.12g}")}
        self.changed = {f"ascent.{key}": value for key, value in now.items()}
        self.config = self.config.model_copy(update={"ascent": ascent.model_copy(update=now)})
        climbed.curves = climbed.curves[:, :steps]

    def keep(self, output: Path) -> Path:
        """Write what `dgn synthesize` would have written of the finished climb to the new folder `output`; its page.

        The climb is left there as a run's finished batch, with which the run goes on.
        """
        if self._climbed is None:
            raise UserError("there is no picture yet: press Start, then wait for the end or press Stop")
        config = self.config.model_copy(update={"output": str(output)})
        with claim(output, resume=False):
            used = weights(config)
            resume.begin(output, config, {0: self.rows}, used | contents(config, used, self.prior, self.target))
            described = run.record(self._climbed, self.rows, 0, output, self.target, self.judge)
            resume.save(output, 0, self._climbed.codes, self._climbed.curves, described)
            run.synthesize(config, output, self.target.features.network, self.prior)
            return report.write_page([output], output, config.title)
