"""The import path for the user's own classes and functions."""

import os
import sys


def include_current_folder() -> None:
    """Let modules in the current folder be imported: last on the path, so that they shadow nothing.

    `python script.py` has the script's folder on the path instead, and an installed command has neither.
    """
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
