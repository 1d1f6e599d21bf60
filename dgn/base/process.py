"""Process-wide settings of a run: a command keeps them, a call from Python restores them."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from dgn.base import malloc

KNOWN = (  # Lightning's warnings about choices that are intended here
    "You passed in a `val_dataloader` but have no `validation_step`",
    "`isinstance\\(treespec, LeafSpec\\)` is deprecated",
    "Found .* module\\(s\\) in eval mode",
    "The '.*' does not have many workers",
    "`training_step` returned `None`",
    "The number of training batches",
    "The `srun` command is available",
)


def prepare() -> None:
    """For a command: fast matrix products, memory kept in the process, no warnings about intended choices."""
    malloc.keep()
    _set()


@contextmanager
def restored() -> Iterator[None]:
    """For a call from Python: the reversible settings of `prepare`, with gradients enabled.

    On exit restores the precision of matrix products, warning filters, Lightning's log level, the grad and inference
    modes and the import path.
    """
    precision, path = torch.get_float32_matmul_precision(), list(sys.path)
    log = logging.getLogger("pytorch_lightning")
    level = log.level
    with warnings.catch_warnings(), torch.inference_mode(False), torch.enable_grad():
        _set()
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(precision)
            log.setLevel(level)
            sys.path[:] = path


def _set() -> None:
    torch.set_float32_matmul_precision("high")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    for text in KNOWN:
        warnings.filterwarnings("ignore", text)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # `images.load` handles or refuses what PIL warns about
