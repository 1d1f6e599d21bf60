"""Every command line in the documents composes, and every experiment runs."""

import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import dgn.app.__main__
import dgn.benchmark.__main__
import dgn.data.__main__
import dgn.report.__main__
from dgn.sweeps import jobs

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "dgn/assets").glob("*.md"))]
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.yaml"))


def lines(path: Path) -> list[str]:
    """The lines of a document's shell blocks that run one of our commands, continuations joined, comments cut."""
    found = []
    for block in re.findall(r"```(?:bash|sh|console)\n(.*?)```", path.read_text(), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"\s+#.*$", "", line).strip().removeprefix("$ ")
            if re.match(r"(\S*python|make)\b", line):
                found.append(line)
    return found


@pytest.mark.parametrize("line", sorted({line for path in DOCUMENTS for line in lines(path)}))
def test_a_command_line_of_the_documents_composes(line, config):
    typed = shlex.split(line)
    if typed[0] == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert {word for word in typed[1:] if "=" not in word} <= set(targets)
        return
    if typed[1:3] == ["-m", "dgn.data"]:
        taken = dgn.data.__main__.parser().parse_args(typed[3:])
        dgn.data.__main__.composed("train" if taken.command == "bench" else taken.command, taken.words)
        return
    if typed[1:3] == ["-m", "dgn.report"]:
        dgn.report.__main__.parser().parse_args(typed[3:])
        return
    if typed[1:3] == ["-m", "dgn.app"]:
        config("synthesize", *dgn.app.__main__.parser().parse_intermixed_args(typed[3:]).words)
        return
    if typed[1:3] == ["-m", "dgn.benchmark"]:
        asked = dgn.benchmark.__main__.parser().parse_args(typed[3:])
        assert dgn.benchmark.__main__.chosen(asked.sections, asked.quick)
        return
    if typed[1] == "-m":
        assert find_spec(typed[2])
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
