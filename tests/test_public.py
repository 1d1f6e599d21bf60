"""What `import dgn` offers, and nothing else."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import dgn

NAMES = ["Pictures", "Search", "Synthesizer", "UserError", "decoder", "layers", "load_bundle", "measure", "synthesize",
         "train"]  # fmt: skip


def test_dir_shows_the_public_names_alone_before_and_after_use():
    assert dir(dgn) == sorted(dgn.__all__) == NAMES
    code = f"import dgn; assert dir(dgn) == {NAMES}; dgn.synthesize, dgn.train; assert dir(dgn) == {NAMES}"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_public_names_have_signatures_and_docstrings():
    for name in NAMES:
        assert inspect.getdoc(getattr(dgn, name)) and (name == "UserError" or inspect.signature(getattr(dgn, name)))
    assert vars(dgn).keys().isdisjoint({"import_module", "Any", "TYPE_CHECKING"})


def test_a_name_that_moved_says_where_to():
    for name, place in dgn._MOVED.items():
        with pytest.raises(AttributeError, match=f"dgn.{name} is now {place}"):
            getattr(dgn, name)
        importlib.import_module(place.partition(";")[0])
    rooms = {module.name for module in pkgutil.iter_modules(dgn.__path__)}
    assert rooms.isdisjoint(dgn._MOVED)
    with pytest.raises(AttributeError, match="did you mean 'synthesize'"):
        dgn.synthesise  # noqa: B018
    assert not hasattr(dgn, "nothing")
