"""The command line: `dgn COMMAND`, and the two scripts `synthesize.py` and `train.py`."""

from dgn.cli.main import main, synthesize, train

__all__ = ["main", "synthesize", "train"]
