"""Which line makes a file that an experiment of the paper names."""

import re
from pathlib import Path

from omegaconf import OmegaConf

from dgn.base.folders import CONF
from dgn.paper.steps import FOLDER


def line(path: str) -> str | None:
    """The line of train.py that makes a file below `FOLDER`, by conf/paper.yaml; None for another file."""
    inside = Path(path)
    if not inside.is_relative_to(FOLDER):
        return None
    name = inside.relative_to(FOLDER).parts[0]
    made = OmegaConf.load(CONF / "paper.yaml").made
    if name not in made:
        return None
    words = re.sub(r"\{\w+\}", "DIR", made[name].line.removeprefix("train "))
    return f"python train.py {words} output={FOLDER / name}"
