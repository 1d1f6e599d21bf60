"""Training from Python: `dgn.train`."""

import io
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from pytorch_lightning.utilities.seed import isolate_rng

from dgn.base import process
from dgn.base.errors import Stopped, UserError
from dgn.base.files import claim
from dgn.settings import messages
from dgn.settings.check import check
from dgn.settings.identity import stamp
from dgn.settings.keywords import configured
from dgn.training import tasks
from dgn.training.settings import TASKS


def train(*words: str, output: Path | str | None = None, quiet: bool = False, **settings: Any) -> Path:
    """Train a generator that inverts a layer, or with task="classifier" a small network, as `dgn train` does.

        bundle = train(data={"root": DIR}, encoder={"_target_": "my_pkg.MyNet", "weights": FILE, "layer": "fc"})
        weights = train(task="classifier", classifier="caffenet64", data={"root": DIR}, iterations=2000)
        bundle = train("data=photos", data={"workers": 0}, iterations=300)

    Args:
        words: command-line settings, such as "data=photos".
        output: a folder for everything that the run writes; by default a new one in `runs`.
        quiet: print nothing and show no progress bar.
        settings: every key of conf/train.yaml and of its task, nested or dotted; text chooses a member of a group:
            data="photos", loss="lpips", encoder="efficientnet_lite0". Networks are named by an import path, not passed
            as objects: a bundle records what it inverts, and a resumed run builds it again.

    Returns:
        The bundle, for `dgn.load_bundle` or bundle=…; the weights of a classifier; the table of task="inversion".

    Raises UserError, one sentence, for a mistake in the request; KeyboardInterrupt once an interrupted run is saved,
    which resume=True continues.
    """
    composed = configured("train", words, [settings])
    folder = Path(f"runs/train-{stamp()}" if output is None else output).expanduser()
    config = check(composed, TASKS[composed.config.task]).model_copy(update={"output": str(folder)})
    try:
        with process.restored(), isolate_rng(), redirect_stdout(io.StringIO()) if quiet else nullcontext():
            with claim(folder, config.resume):
                return tasks.run(config, folder)
    except Stopped as stopped:
        raise KeyboardInterrupt(
            f"{stopped.what}; to continue, repeat the call with output={str(folder)!r}, resume=True"
        ) from None
    except InstantiationException as error:  # what a class of the config raises
        if not messages.meant_for_the_user(error):
            raise
        raise UserError(messages.sentence(error, "train", words)) from None
