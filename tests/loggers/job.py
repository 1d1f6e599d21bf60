"""A small run that its logs are told of."""

import torch

from dgn.loggers import CsvLog, TensorBoardLog, WandbLog, observe
from dgn.settings.command import CommandSettings

PICTURE = torch.linspace(0, 1, 3 * 4 * 6).view(3, 4, 6)
LABELS = {"project": "dgn", "entity": None, "group": "a sweep", "job_type": "generator", "tags": ["one", "two"]}


class Job(CommandSettings):
    """What it is made with."""

    loss: dict[str, float]
    sizes: dict[float, int]


def job(folder, *steps, logger="wandb", fails=False, **more):
    """A small run in `folder`: two curves, a picture and a bundle."""
    kinds = {"csv": CsvLog, "tensorboard": TensorBoardLog, "wandb": WandbLog}
    node = {"_target_": f"dgn.loggers.{kinds[logger].__name__}"}
    node |= {"mode": "offline", **LABELS, **more} if logger == "wandb" else more
    config = Job(output=str(folder), resume=False, seed=0, trainer={}, logger=node, debug=False, loss={"weight": 0.15},
                 sizes={0.5: 64})  # fmt: skip
    with observe(config, folder) as logs:
        path = folder / "small.bundle.safetensors"
        for log in logs:
            for step in steps:
                log.log_metrics({"loss/pixel": 1 / step, "images": 32 * step}, step=step)
                log.log_metrics({"val/top1": step / 100, "images": 32 * step}, step=step)
                log.picture("reconstructions", PICTURE, step, 32 * step)
            log.finalize("success")  # as Lightning does after a fit
        if fails:
            raise KeyError
        path.write_bytes(b"a bundle")
        for log in logs:
            log.artifact(path, "bundle")
