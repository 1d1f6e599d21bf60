"""The two commands: compose the config, run the task in its own folder, turn a user's mistake into one sentence.

torch is imported only once the config stands, so that `--help` and a typing error answer at once.
"""

import os
import sys
import traceback
from importlib import import_module
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from dgn import mistakes, points, sweep
from dgn.config import CONF, words
from dgn.errors import UserError
from dgn.files import claim

TASKS = {"train": "dgn.training.tasks", "synthesize": "dgn.synthesis.run"}


def main(command: str) -> None:
    """Run `train` or `synthesize` on the words of the command line.

    Exit codes: 0 done, 1 a mistake or a failed sweep point, 130 after Ctrl-C, 143 after SIGTERM.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises, and what it raises is put into words here

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name=command)
    def job(config: DictConfig) -> None:
        try:
            run(command, config)
        except Exception as error:
            if sweep.running():
                fail(error, command)  # the other points go on
            elif mistakes.meant_for_the_user(error):
                sys.exit(f"error: {mistakes.sentence(error, command, sys.argv[1:])}")
            else:
                raise

    try:
        sys.argv[1:] = words(command, sys.argv[1:])
        job()
    except (UserError, HydraException, OmegaConfBaseException) as error:
        print(f"error: {mistakes.sentence(error, command, sys.argv[1:])}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)


def run(command: str, config: DictConfig) -> None:
    """One job: check what Hydra does not, take the folder, call the task. A sweep's point runs once."""
    if sweep.running() and not sweep.begin(config):
        return
    mistakes.check(config, HydraConfig.get().runtime.choices, command)
    output = Path(HydraConfig.get().runtime.output_dir)
    with claim(output, config.resume):
        import_module(TASKS[command]).run(config, output)
        if sweep.running():
            points.finish(output)


def fail(error: Exception, command: str) -> None:
    """Say and note why a point of a sweep failed; of a bug the traceback too."""
    meant = mistakes.meant_for_the_user(error)
    reason = mistakes.sentence(error, command, sys.argv[1:]) if meant else f"{type(error).__name__}: {error}"
    details = "" if meant else f"\n{traceback.format_exc()}"
    print(f"error: {sweep.name()}: {reason}{details}", file=sys.stderr)
    points.fail(sweep.folder(), " ".join(reason.split()) + details)
