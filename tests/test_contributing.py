"""The how-tos of CONTRIBUTING.md, run as they are printed, from a folder that holds their files alone."""

import re
import shlex
from pathlib import Path

import pytest

from tests.commands import run

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
HOW_TOS = dict(part.split("\n", 1) for part in TEXT.partition("\n## Extension points\n")[2].split("\n### ")[1:])
POINTS = ["A prior", "An ascent", "Transforms", "An objective", "An initial code", "A stimulus", "A network",
          "A decoder", "A generator to train", "A data source", "A loss", "A logger"]  # fmt: skip
LONGEST = 60  # lines of a how-to


def blocks(part, language):
    return re.findall(rf"```{language}\n(.*?)```", part, re.DOTALL)


def test_every_extension_point_has_a_short_how_to():
    assert list(HOW_TOS) == POINTS
    assert max(len(part.splitlines()) for part in HOW_TOS.values()) <= LONGEST


@pytest.mark.slow
@pytest.mark.parametrize("name", POINTS)
def test_a_how_to_runs_as_it_is_printed(name, tmp_path):
    for block in blocks(HOW_TOS[name], "(?:python|yaml)"):
        path = tmp_path / block.partition("\n")[0].removeprefix("# ")
        path.parent.mkdir(exist_ok=True)
        path.write_text(block)
    for number, line in enumerate(blocks(HOW_TOS[name], "bash")[0].splitlines()):
        words = shlex.split(line)[1:]
        words += ["debug=true", *(["data.sources.count=64"] if "data=photos" in words else [])]
        words += [] if any(word.startswith("output=") for word in words) else [f"output=out{number}"]
        run("-m", "dgn", *words, cwd=tmp_path)
    if name == "A logger":
        assert '"loss/pixel"' in (tmp_path / "out0/metrics.jsonl").read_text()
    if name == "A loss":
        assert "share/variation" in (tmp_path / "out0/metrics.csv").read_text()
