"""A paper of one claim, with a finished experiment of two runs, in a folder of its own."""

import pytest

from dgn.paper import steps
from dgn.paper.settings import PaperSettings
from dgn.report import measured
from tests.run_folders import write_run

KIND = "recognised/judge/log2_rank"
CLAIM = {
    "claim": "One is better than another.", "section": "section 2", "experiment": "exp", "needs": ["net"], "words": [],
    "hours": 0.5, "measured": [{"runs": ["one", "other"], "words": ["judge.weights={judge_weights}"]}],
    "effects": [{"name": f"one − other: {KIND}", "claimed": "below"}],
    "analysis": None, "shown": KIND, "changes": "Its size.", "told": None,
}  # fmt: skip
NET = {"file": "net/net.safetensors", "line": "train experiment=networks/net data.root={places}", "hours": 2.0}


@pytest.fixture
def paper(tmp_path, monkeypatch):
    """Settings, with some keys changed; the claim's runs are under the current folder, `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs/images").mkdir(parents=True)

    def build(claims=None, **keys):
        values = {"images": None, "places": "DIR", "judge_weights": "FILE", "docs": "docs", "judged": [],
                  "natural": [], "made": {"net": NET}, "claims": claims or {"a_claim": CLAIM}}  # fmt: skip
        return PaperSettings.model_validate(values | keys)

    return build


@pytest.fixture
def finished(paper):
    """The claim's runs with their tables, and its network."""
    (steps.FOLDER / "net").mkdir(parents=True)
    (steps.FOLDER / NET["file"]).write_bytes(b"weights")
    folder = steps.FOLDER / "pictures/exp"
    for name, value in (("one", 1.5), ("other", 3.0)):
        write_run(folder / name)
        measured.write(folder / name / measured.FILE, [row(KIND, value, value - 0.5, value + 0.5)])
    (folder / "compared-0").mkdir()
    apart = {"first": "one", "second": "other"} | row(KIND, -1.5, -2.0, -1.0)
    measured.write(folder / "compared-0" / measured.DIFFERENCES, [apart])
    return folder


def row(name, value, low, high, n=40, note=""):
    return {"measure": name, "value": value, "low": low, "high": high, "n": n, "note": note}
