"""A running sweep: every point once, even if others fail, and one page at the end."""

import os
import sys
import traceback
from pathlib import Path
from typing import Any, ClassVar

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from dgn.base import ranks
from dgn.base.errors import UserError
from dgn.base.files import missing
from dgn.sweeps import jobs
from dgn.sweeps.page import write_sweep

STARTED_OUTSIDE = {"LOCAL_RANK", "SLURM_PROCID"}  # set where something else starts the processes of a run


def running() -> bool:
    """Whether this job is a point of a sweep."""
    mode = HydraConfig.get().mode
    return mode is not None and mode.name == "MULTIRUN"


def name() -> str:
    """The point that runs now, for messages."""
    hydra = HydraConfig.get()
    return f"point {hydra.job.num + 1} of {len(jobs.planned(Path(hydra.sweep.dir)))}, {folder().name}"


def folder() -> Path:
    """Where the point that runs now writes."""
    return Path(HydraConfig.get().runtime.output_dir)


def submitted() -> bool:
    """Whether this is a point's own job, started by one of the submitit launchers."""
    return "SUBMITIT_EXECUTOR" in os.environ


def begin(config: DictConfig) -> bool:
    """Take up the point that runs now; False where it is finished already. What an interrupted one left is used."""
    if not jobs.begin(folder(), HydraConfig.get().overrides.task):
        print(f"{name()}: already finished, skipped")
        return False
    print(name())
    refuse_ranks(config)
    if os.environ.get("SUBMITIT_EXECUTOR") == "slurm":
        refuse_tasks(config)
    config.resume = (folder() / "config.yaml").exists()
    return True


def refuse_ranks(config: DictConfig) -> None:
    """UserError if Lightning would start processes: each would run the whole sweep again from its first word."""
    strategy, devices = str(config.trainer.get("strategy", "auto")), config.trainer.devices
    several = len(devices) > 1 if OmegaConf.is_list(devices) else str(devices) not in {"0", "1"}
    unknown = str(devices) in {"auto", "-1"}
    starts = strategy.startswith(("ddp", "fsdp", "deepspeed")) and not strategy.endswith(("spawn", "fork"))
    starts |= strategy == "auto" and not unknown
    if (several or config.trainer.get("num_nodes", 1) > 1) and starts and not STARTED_OUTSIDE & os.environ.keys():
        raise UserError(f"with trainer.devices={devices} each process would start the whole sweep again: set "
                        "trainer.devices=1 trainer.num_nodes=1, or run the points one by one without -m")  # fmt: skip


def refuse_tasks(config: DictConfig) -> None:
    """UserError if Slurm has started more or fewer processes for a point than the point shares its work among."""
    tasks, devices = os.environ.get("SLURM_NTASKS_PER_NODE", "1"), str(config.trainer.devices)
    if tasks != "1" and config.get("task") not in {"generator", "classifier"}:
        raise UserError(f"each of {tasks} processes would compute all of this point: set "
                        "hydra.launcher.tasks_per_node=1, and sweep over shard=0/2,1/2 to divide the work")  # fmt: skip
    if devices.isdigit() and int(devices) != int(tasks):
        raise UserError(f"trainer.devices={devices} does not match {tasks} processes: "
                        f"set hydra.launcher.tasks_per_node={devices}")  # fmt: skip


class NewFolders(Callback):
    """Notes which folders Hydra is about to make, so that a run that fails at once leaves none of them empty."""

    noted: ClassVar[list[Path]] = []

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        type(self).noted[:] = missing(Path(config.hydra.run.dir))


class SweepEnd(Callback):
    """What Hydra calls when the last point of a sweep is over: the page of all its points, and the exit code."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        if not ranks.first():
            return
        try:
            said, complete = write_sweep(Path(config.hydra.sweep.dir))
        except UserError as error:
            sys.exit(f"error: {error}")
        except Exception:  # Hydra would make a warning of it and leave with 0
            traceback.print_exc()
            sys.exit(1)
        print(said, file=sys.stdout if complete else sys.stderr)
        if not complete:
            sys.exit(1)
