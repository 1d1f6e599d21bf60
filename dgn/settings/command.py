"""What both commands take, whatever they make."""

from typing import Any

from dgn.base.typed import Seed, Settings


class CommandSettings(Settings):
    """Keys that conf/synthesize.yaml and conf/train.yaml share. `trainer` has the arguments of Lightning's Trainer."""

    output: str
    resume: bool
    seed: Seed
    trainer: dict[str, Any]
    logger: dict[str, Any]
    debug: bool
