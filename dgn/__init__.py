"""Images that maximise a neuron. Heavy imports wait until first use.

Pictures: `synthesize`, or `Synthesizer` for repeated calls; both return `Pictures`. Priors: `load_bundle`, `decoder`,
`train`. Networks: `layers`. Finished runs: `measure`. Neurons and other black boxes: `Search`. A mistake in the request
raises `UserError`, one sentence.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

if _TYPE_CHECKING:
    from dgn.base.errors import UserError as UserError
    from dgn.generators.loading import decoder as decoder
    from dgn.generators.loading import load_bundle as load_bundle
    from dgn.measures.measure import measure as measure
    from dgn.synthesis.api import Synthesizer as Synthesizer
    from dgn.synthesis.api import synthesize as synthesize
    from dgn.synthesis.list_layers import layers as layers
    from dgn.synthesis.pictures import Pictures as Pictures
    from dgn.synthesis.search import Search as Search
    from dgn.training.train import train as train

_PUBLIC = {  # where each name lives
    "Pictures": "dgn.synthesis.pictures",
    "Search": "dgn.synthesis.search",
    "Synthesizer": "dgn.synthesis.api",
    "UserError": "dgn.base.errors",
    "decoder": "dgn.generators.loading",
    "layers": "dgn.synthesis.list_layers",
    "load_bundle": "dgn.generators.loading",
    "measure": "dgn.measures.measure",
    "synthesize": "dgn.synthesis.api",
    "train": "dgn.training.train",
}
_MOVED = {  # what `dgn.NAME` was in version 0.1
    "ascent": "dgn.synthesis.ascent",
    "bundle": "dgn.generators.bundle; to read one: dgn.load_bundle",
    "codes": "dgn.generators.moments",
    "config": "dgn.settings",
    "dashboard": "dgn.loggers.dashboard",
    "errors": "dgn.base.errors",
    "files": "dgn.base.files",
    "images": "dgn.base.images",
    "judge": "dgn.evaluation.judge",
    "loop": "dgn.base.lightning",
    "metrics": "dgn.evaluation.metrics",
    "mistakes": "dgn.settings.messages",
    "points": "dgn.sweeps.jobs",
    "precision": "dgn.base.precision",
    "priors": "dgn.synthesis.priors",
    "results": "dgn.report.results",
    "sweep": "dgn.sweeps.callback",
    "views": "dgn.synthesis.transforms",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        return getattr(_import_module(_PUBLIC[name]), name)
    if name in _MOVED:
        raise AttributeError(f"dgn.{name} is now {_MOVED[name]}")
    from dgn.base.errors import nearest

    raise AttributeError(f"module 'dgn' has no attribute {name!r}: {nearest(name, _PUBLIC)}")


def __dir__() -> list[str]:
    return list(_PUBLIC)
