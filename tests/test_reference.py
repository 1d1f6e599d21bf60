"""The API reference: what is public has a docstring that says enough, and a place in the pages."""

import importlib.util
import inspect
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import dgn

ROOT = Path(__file__).parents[1]
WITH_DGN = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
SPEC = importlib.util.spec_from_file_location("reference", ROOT / "docs/reference.py")
assert SPEC is not None and SPEC.loader is not None
REFERENCE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(REFERENCE)
PUBLIC = [("dgn", name) for name in dgn.__all__]
POINTS = [(module, name) for module, names in REFERENCE.EXTENSION_POINTS.items() for name in names]
NO_ERRORS = {"UserError", "Pictures"}  # what is no call that can be wrong


def parts(value):
    """A class or function and the methods that it adds under a public name, by name."""
    own = vars(value) if inspect.isclass(value) else {}
    shown = [name for name, part in own.items() if inspect.isroutine(part) or isinstance(part, property)]
    return {"": value} | {name: getattr(value, name) for name in shown if not name.startswith("_")}


@pytest.mark.parametrize(("module", "name"), PUBLIC + POINTS)
def test_a_public_name_has_a_docstring_that_names_what_it_takes(module, name):
    value = getattr(import_module(module), name)
    for part, member in parts(value).items():
        if not (isinstance(member, property) and re.search(rf"\b{part}\b.*: ", inspect.getdoc(value))):
            assert inspect.getdoc(member), f"{name}.{part} has no docstring"
    if not inspect.isclass(value) or "__init__" in vars(value):
        called = value.__init__ if inspect.isclass(value) else value
        takes = set(inspect.signature(called).parameters) - {"self", "args", "kwargs", "message"}
        missing = [key for key in sorted(takes) if not re.search(rf"\b{key}\b", inspect.getdoc(value))]
        assert missing == [], f"the docstring of {name} does not say what these are"


@pytest.mark.parametrize("name", sorted({name for _, name in PUBLIC} - NO_ERRORS))
def test_a_public_call_says_how_it_fails_and_has_types(name):
    value = getattr(dgn, name)
    assert "UserError" in inspect.getdoc(value)
    signature = inspect.signature(value.__init__ if inspect.isclass(value) else value)
    untyped = [p.name for p in signature.parameters.values() if p.annotation is p.empty and p.name != "self"]
    assert untyped == [] and signature.return_annotation is not signature.empty


@pytest.mark.slow
def test_the_pages_list_every_name_and_load_nothing_from_elsewhere(tmp_path):
    pytest.importorskip("pdoc", reason="pdoc is not installed: pip install -e .[dev]")
    line = [sys.executable, str(ROOT / "docs/reference.py"), str(tmp_path)]  # its own process: it changes annotations
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": WITH_DGN})
    assert done.returncode == 0, done.stderr
    for module, name in PUBLIC + POINTS:
        page = (tmp_path / f"{module.replace('.', '/')}.html").read_text()
        assert f'id="{name}"' in page, f"{name} is not in {module}"
        assert not re.search(r'(src|<link[^>]*href)="(https?:)?//', page)
        assert "FieldInfo" not in page
    assert {p.name for p in tmp_path.iterdir()} == {"dgn", "dgn.html", "index.html", "search.js"}
