"""`dgn synthesize` and `dgn train`: compose the config, check it, run the task in its output folder.

torch is imported only after the config is checked.
"""

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from dgn import settings
from dgn.base import ranks
from dgn.base.errors import Stopped, UserError
from dgn.base.files import claim, remove_empty
from dgn.cli import help_text
from dgn.cli.main import stop
from dgn.settings import Composed, messages
from dgn.settings.check import check
from dgn.settings.command import CommandSettings
from dgn.sweeps import callback, jobs
from dgn.synthesis.settings import SynthesizeSettings
from dgn.training.settings import TASKS as TASK_SETTINGS

ALONE = {"train": [], "synthesize": ["experiment=demo"]}  # the arguments of a command without any
FAILED: set[str] = set()  # why points of this sweep have failed so far: each reason is printed once
TASKS = {"train": "dgn.training.tasks", "synthesize": "dgn.synthesis.run"}


def run(command: str, typed: Sequence[str]) -> None:
    """Run `train` or `synthesize` with these arguments."""
    if help_text.asked(typed):
        print(help_text.text(command, typed))
        return
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises instead of printing; `door` writes the message
    words = settings.words(command, typed or ALONE[command])
    failed: list[Exception] = []
    FAILED.clear()

    @hydra.main(version_base="1.3", config_path=str(settings.CONF), config_name=command)
    def job(config: DictConfig) -> None:
        sys.argv = typed_by_user  # which Lightning types again to start a process for every further device
        if submitted := callback.submitted():
            signal.signal(signal.SIGTERM, stop)  # submitit's own handler only records it
        try:
            task(command, config)
        except Stopped as stopped:
            if callback.running():
                stopped.folder = None  # a point's; the sweep finds it
            if not submitted:
                raise
            print(f"stopped: {stopped.what}; to continue, run the same command again", file=sys.stderr)
            # no raise: the launcher waits for a result
        except Exception as error:
            if callback.running():
                fail(error, command, words)  # the other points continue
            else:
                failed.append(error)  # raised below: Hydra would print its own lines above the message

    typed_by_user, sys.argv = sys.argv, [f"{command}.py", *words]  # where Hydra reads them
    try:
        with messages.explained(command, words):
            job()
    finally:
        sys.argv = typed_by_user
        remove_empty(callback.NewFolders.noted)
    if failed:
        raise failed[0]


def task(command: str, config: DictConfig) -> None:
    """One job: check the config, lock the folder, call the task. A point of a sweep runs only once."""
    if callback.running() and not callback.begin(config):
        return
    new = "${unique:" in str(OmegaConf.to_container(config, resolve=False)["output"])  # type: ignore[call-overload,index]
    choices = HydraConfig.get().runtime.choices
    OmegaConf.set_struct(config, False)
    checked = check(Composed(config, dict(choices)), model(command, config))
    if checked.resume and new and not callback.running():
        raise UserError("resume=true needs the folder of the run that is to be continued: set output=DIR")
    output = Path(HydraConfig.get().runtime.output_dir)
    with claim(output, checked.resume) if ranks.first() else nullcontext():
        module = import_module(TASKS[command])
        import_module("dgn.base.process").prepare()
        module.run(checked, output)
        if callback.running() and ranks.first():
            jobs.finish(output)


def model(command: str, config: DictConfig) -> type[CommandSettings]:
    """The settings class of a command's config."""
    return SynthesizeSettings if command == "synthesize" else TASK_SETTINGS[config.task]


def fail(error: Exception, command: str, words: Sequence[str]) -> None:
    """Print and record why a point of a sweep failed; for a bug also the traceback."""
    meant = messages.meant_for_the_user(error)
    reason = messages.sentence(error, command, words) if meant else f"{type(error).__name__}: {error}"
    details = "" if meant else f"\n{traceback.format_exc()}"
    repeated = reason in FAILED
    FAILED.add(reason)
    print(f"error: {callback.name()}: {'the same' if repeated else reason + details}", file=sys.stderr)
    jobs.fail(callback.folder(), " ".join(reason.split()) + details)
