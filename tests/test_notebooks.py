"""The notebooks run from top to bottom, with smaller numbers; every number that is replaced must be there."""

import ast
import json
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SMALLER = {
    "your_own_network": {"IMAGES = 600": "IMAGES = 12", "EPOCHS = 4": "EPOCHS = 1", "STEPS = 150": "STEPS = 2",
                         "ITERATIONS = 1000": "ITERATIONS = 2", "SEEDS = 3": "SEEDS = 1"},
    "train_a_prior": {"CROPS = 200": "CROPS = 20", "ITERATIONS = 300": "ITERATIONS = 2", "STEPS = 100": "STEPS = 2"},
    "the_paper": {"STEPS = 200": "STEPS = 4", "SEEDS = 2": "SEEDS = 1"},
}  # fmt: skip
LARGEST = 300 * 1024  # bytes


def cells(path):
    """The sources of a notebook's code cells."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run(source, namespace):
    """Run a cell; what a notebook would show of its last expression, in every form that it has."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), namespace)
    if last is None:
        return []
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), namespace)
    html = getattr(value, "_repr_html_", None)
    return [repr(value), *([html()] if html else [])]


def test_every_notebook_is_run_here_and_is_small():
    assert sorted(SMALLER) == sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    assert all(path.stat().st_size < LARGEST for path in NOTEBOOKS.glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALLER)
def test_a_notebook_runs(name, tmp_path, monkeypatch):
    if name != "your_own_network":
        pytest.importorskip("skimage")
    monkeypatch.chdir(tmp_path)
    sources, left = cells(NOTEBOOKS / f"{name}.ipynb"), dict(SMALLER[name])
    namespace, shown = {"__name__": "__main__"}, []
    for source in sources:
        for number, smaller in SMALLER[name].items():
            if number in source:
                source, _ = source.replace(number, smaller), left.pop(number)
        shown += run(source, namespace)
    assert not left
    assert any("data:image/png;base64," in text for text in shown)
    assert [path.name for path in tmp_path.iterdir()] == [name]  # nothing is written anywhere else
