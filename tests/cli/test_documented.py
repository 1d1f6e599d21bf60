"""Every command line in the documents composes, and every experiment runs."""

import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from dgn import settings
from dgn.cli.main import COMMANDS
from dgn.sweeps import jobs

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "dgn/assets").glob("*.md"))]
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.yaml"))


def lines(path: Path) -> list[str]:
    """The lines of a document's shell blocks that run one of our commands, continuations joined, comments cut."""
    found = []
    for block in re.findall(r"```(?:bash|sh|console)\n(.*?)```", path.read_text(), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"\s+#.*$", "", line).strip().removeprefix("$ ")
            if re.match(r"(\S*python|make|dgn)\b", line):
                found.append(line)
    return found


@pytest.mark.parametrize("line", sorted({line for path in DOCUMENTS for line in lines(path)}))
def test_a_command_line_of_the_documents_composes(line, config):
    typed = shlex.split(line)
    if typed[0] == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert {word for word in typed[1:] if "=" not in word} <= set(targets)
        return
    if typed[0] == "dgn":
        command = import_module(COMMANDS[typed[1]][0])
        asked = command.parser().parse_intermixed_args(typed[2:]) if typed[1] in {"app", "networks"} else (
            command.parser().parse_args(typed[2:]))  # fmt: skip
        if typed[1] == "app":
            config("synthesize", *asked.words)
        if typed[1] == "benchmark":
            assert command.chosen(asked.sections, asked.quick)
        if typed[1] == "data":
            settings.composed("train" if asked.command == "bench" else "prepare", settings.words("train", asked.words))
        return
    if any(word.startswith("--config-dir") for word in typed):
        return  # a folder of one's own: tests/test_own_network.py runs it
    script = Path(typed[1])
    assert (ROOT / script).exists()
    if script.name in {"train.py", "synthesize.py"}:
        words = [word for word in typed[2:] if not word.startswith("-")]
        for point in jobs.combinations(words) if "-m" in typed else [words]:
            config(script.stem, *point)


def test_the_documents_have_command_lines():
    assert len(lines(ROOT / "README.md")) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_an_experiment_runs(path, tmp_path):
    first = path.read_text().splitlines()
    script = next(line.split()[2] for line in first if line.startswith("# python "))
    words = [sys.executable, ROOT / script, f"experiment={path.stem}", "debug=true", f"output={tmp_path}/out"]
    if script == "train.py":
        words += ["data=photos", *(["data.resize=256", "data.crop=227"] if "imagenet" in path.read_text() else [])]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
