"""Images that maximise a neuron. Use `synthesize` and `decoder` from Python; heavy imports wait until first use."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dgn.base.errors import UserError as UserError
    from dgn.generators.loading import decoder as decoder
    from dgn.synthesis.api import Pictures as Pictures
    from dgn.synthesis.api import synthesize as synthesize

PUBLIC = {
    "synthesize": "dgn.synthesis.api",
    "Pictures": "dgn.synthesis.api",
    "decoder": "dgn.generators.loading",
    "UserError": "dgn.base.errors",
}
__all__ = list(PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'dgn' has no attribute {name!r}")
    return getattr(import_module(PUBLIC[name]), name)
