"""The README's part on one's own network, run as it is printed there, in a folder with `my_pkg.py`."""

import re
import shlex
import subprocess
import sys

import pytest

from tests import commands
from tests.commands import ROOT, table

PART = (ROOT / "README.md").read_text().partition("## Your own network")[2].partition("\n## ")[0]


def blocks(language):
    """The part's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PART, re.DOTALL)


def line(start):
    """The one command of the part that begins so, without its comment."""
    (found,) = [text for block in blocks("bash") for text in block.splitlines() if text.startswith(start)]
    return re.sub(r"\s+#.*$", "", found)


@pytest.fixture
def folder(users_folder):
    """A user's folder with a YAML."""
    (users_folder / "network").mkdir()
    (users_folder / "network/mynet.yaml").write_text(blocks("yaml")[0])
    return users_folder


def run(folder, *call):
    """Run Python in the folder; what it printed. Its own code, `-c`, in a process of its own."""
    if call[0] != "-c":
        return commands.run(*call, cwd=folder)[0]
    done = subprocess.run([sys.executable, *call], cwd=folder, capture_output=True, text=True, timeout=300,
                          env={"PYTHONPATH": str(ROOT), "PATH": ""})  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def rows(run_folder):
    return [row["unit"] for row in table(run_folder / "results.csv")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "units"),
    [("python synthesize.py target._target_", ["7@center", "3", "4", "5"]),
     ("python synthesize.py --config-dir", ["7@max", "0.5*3+0.5*4"])],
)  # fmt: skip
def test_the_readmes_lines(folder, start, units):
    _, script, *words = shlex.split(line(start).replace("FOLDER", "."))
    run(folder, str(ROOT / script), *words, "seeds=1", "ascent.steps=2", "output=out")
    assert rows(folder / "out") == units
    assert "my_pkg.MyNet" in (folder / "out/index.html").read_text()


@pytest.mark.slow
def test_the_readmes_listing(folder):
    words = shlex.split(line("dgn networks"))[1:]
    shown = {text.split()[0]: text.split()[2] for text in run(folder, "-m", "dgn", *words).splitlines()}
    assert (shown["layer4.1"], shown["fc"], shown["output"]) == ("8x16x16", "20", "20")


@pytest.mark.slow
def test_the_readmes_python(folder):
    (code,) = blocks("python")
    assert len([text for text in code.splitlines() if text]) == 5
    quick = code.replace("input={", '"seeds=1", "ascent.steps=2", input={')
    shown = run(folder, "-c", quick)
    assert "torch.Size([3, 3, 64, 64])" in shown
    assert rows(folder / "mynet") == ["3@center", "4", "5"]
