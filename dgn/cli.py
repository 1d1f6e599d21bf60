"""The two commands: compose the config, run the task in its own folder, turn a user's mistake into one sentence.

torch is imported only once the config stands, so that `--help` and a typing error answer at once.
"""

import os
import signal
import sys
import traceback
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from dgn import mistakes
from dgn.base import ranks
from dgn.base.errors import Stopped, UserError
from dgn.base.files import claim
from dgn.config import CONF, words
from dgn.sweeps import callback, jobs

ALONE = {"train": [], "synthesize": ["experiment=demo"]}  # what the command does without a word
TASKS = {"train": "dgn.training.tasks", "synthesize": "dgn.synthesis.run"}


def main(command: str) -> None:
    """Run `train` or `synthesize` on the words of the command line.

    Exit codes: 0 done, 1 a mistake, a failed sweep point or a full disk, 130 after Ctrl-C, 143 after SIGTERM.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    if not ranks.first():
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115  # the first rank speaks for all
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # classes that a config names; a script has its own folder there instead
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises, and what it raises is put into words here

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name=command)
    def job(config: DictConfig) -> None:
        if submitted := callback.submitted():
            signal.signal(signal.SIGTERM, _stop)  # submitit only notes it
        try:
            run(command, config)
        except Stopped as stopped:
            if not submitted:
                raise
            print(f"stopped: {stopped.what}; the same line goes on", file=sys.stderr)  # the launcher waits for a result
        except Exception as error:
            if callback.running():
                fail(error, command)  # the other points go on
            elif mistakes.meant_for_the_user(error):
                sys.exit(f"error: {mistakes.sentence(error, command, sys.argv[1:])}")
            else:
                raise

    try:
        sys.argv[1:] = words(command, sys.argv[1:] or ALONE[command])
        job()
    except (UserError, HydraException, OmegaConfBaseException, OSError) as error:  # Hydra makes the output folder
        if not mistakes.meant_for_the_user(error):
            raise
        sys.exit(f"error: {mistakes.sentence(error, command, sys.argv[1:])}")
    except Stopped as stopped:
        print(f"stopped: {stopped.what}; the same line with resume=true goes on", file=sys.stderr)
        raise


def _stop(number: int, _: Any) -> None:
    raise Stopped(number, "what is finished is kept")


def train() -> None:
    """The installed command `dgn-train`."""
    main("train")


def synthesize() -> None:
    """The installed command `dgn-synthesize`."""
    main("synthesize")


def run(command: str, config: DictConfig) -> None:
    """One job: check what Hydra does not, take the folder, call the task. A sweep's point runs once."""
    if callback.running() and not callback.begin(config):
        return
    mistakes.check(config, HydraConfig.get().runtime.choices, command)
    output = Path(HydraConfig.get().runtime.output_dir)
    with claim(output, config.resume) if ranks.first() else nullcontext():
        import_module(TASKS[command]).run(config, output)
        if callback.running() and ranks.first():
            jobs.finish(output)


def fail(error: Exception, command: str) -> None:
    """Say and note why a point of a sweep failed; of a bug the traceback too."""
    meant = mistakes.meant_for_the_user(error)
    reason = mistakes.sentence(error, command, sys.argv[1:]) if meant else f"{type(error).__name__}: {error}"
    details = "" if meant else f"\n{traceback.format_exc()}"
    print(f"error: {callback.name()}: {reason}{details}", file=sys.stderr)
    jobs.fail(callback.folder(), " ".join(reason.split()) + details)
