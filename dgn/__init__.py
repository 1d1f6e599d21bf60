"""What a neuron wants to see. From Python: `synthesize` and `decoder`; nothing heavy is imported before use."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dgn.errors import UserError as UserError
    from dgn.synthesis.api import Pictures as Pictures
    from dgn.synthesis.api import synthesize as synthesize
    from dgn.synthesis.prior import decoder as decoder

PUBLIC = {
    "synthesize": "dgn.synthesis.api",
    "Pictures": "dgn.synthesis.api",
    "decoder": "dgn.synthesis.prior",
    "UserError": "dgn.errors",
}
__all__ = list(PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'dgn' has no attribute {name!r}")
    return getattr(import_module(PUBLIC[name]), name)
