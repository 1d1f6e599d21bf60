"""The README's parts on one's own network and on Python, run as they are printed, in a folder with `my_pkg.py`."""

import re
import shlex
import subprocess
import sys

import pytest
import torch

from tests import commands as runner
from tests.commands import ROOT, table

README = (ROOT / "README.md").read_text()
NETWORK, PYTHON = (README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
                    for title in ("I have a network: what now?", "From Python"))  # fmt: skip


def blocks(part, language):
    """A part's code blocks in a language, continued lines joined."""
    return re.findall(rf"```{language}\n(.*?)```", part.replace("\\\n", " "), re.DOTALL)


def words(start):
    """The words of the first command that begins so, without `dgn` and its comment."""
    commands = [text for block in blocks(NETWORK, "bash") for text in block.splitlines()]
    return shlex.split(next(text for text in commands if text.startswith(start)), comments=True)[1:]


@pytest.fixture
def folder(users_folder):
    """A user's folder with the README's YAML and names of the classes."""
    (users_folder / "network").mkdir()
    (users_folder / "network/mynet.yaml").write_text(blocks(NETWORK, "yaml")[0])
    (users_folder / "classes.txt").write_text("".join(f"class {i}\n" for i in range(20)))
    return users_folder


def run(folder, *call):
    """Run Python in the folder; what it printed. Its own code, `-c`, in a process of its own."""
    if call[0] != "-c":
        return runner.run(*call, cwd=folder)[0]
    done = subprocess.run([sys.executable, *call], cwd=folder, capture_output=True, text=True, timeout=300,
                          env={"PYTHONPATH": str(ROOT), "PATH": ""})  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "units"),
    [("dgn synthesize target._target_", list("01234567")),
     ("dgn synthesize --config-dir", ["7@max", "0.5*3+0.5*4"])],
)  # fmt: skip
def test_the_readmes_lines(folder, start, units):
    typed = [word.replace("FOLDER", ".") for word in words(start) if word != "data.root=DIR"]
    run(folder, "-m", "dgn", *typed, "seeds=1", "ascent.steps=2", "output=out")
    assert [row["unit"] for row in table(folder / "out/results.csv")] == units
    assert "my_pkg.MyNet" in (folder / "out/index.html").read_text()


@pytest.mark.slow
def test_the_readmes_listing(folder):
    listing = run(folder, "-m", "dgn", *words("dgn networks"))
    shown = {text.split()[0]: text.split()[2] for text in listing.splitlines()}
    assert (shown["layer4.1"], shown["fc"], shown["output"]) == ("8x16x16", "20", "20")


@pytest.mark.slow
def test_the_readmes_python(folder):
    (code,) = blocks(PYTHON, "python")
    assert len([text for text in code.splitlines() if text]) == 7
    quick = code.replace("seeds=4", "seeds=2, quiet=True, ascent={'steps': 2}")
    assert quick != code
    shown = run(folder, "-c", f"{quick}\nprint(pictures.images.shape)")
    assert shown == f"{torch.Size([4, 3, 64, 64])}\n"
    assert [row["unit"] for row in table(folder / "mynet/results.csv")] == ["3", "3", "4@center", "4@center"]
    assert (folder / "units.png").exists()
