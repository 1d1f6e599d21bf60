"""The W&B workspace: what it asks for is what is logged, and what is sent to the stand-in server is what is printed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dgn.base.errors import UserError
from dgn.loggers import dashboard
from dgn.settings import write
from tests.wandb_server import KEY, serve

ROOT = Path(__file__).parents[2]
LOGGED = ["loss/pixel", "loss/d_real", "share/feature", "balance/train_d", "val/inversion/fc6", "val/unexplained/fc6",
          "val/top1", "lr"]  # fmt: skip


@pytest.fixture
def sweep(tmp_path):
    """A sweep of three keys, of which one is a group; nothing has run but what its first point wrote."""
    folder = tmp_path / "lab"
    words = ["prior.k=1,2", "data=imagefolder,photos", "schedule=halvings,linear_end", "seed=0"]
    (folder / "first").mkdir(parents=True)
    (folder / "multirun.yaml").write_text(f"hydra: {{overrides: {{task: {json.dumps(words)}}}}}")
    typed = ["prior.k=1", "data=imagefolder", "schedule=halvings", "seed=0"]
    (folder / "first/point.json").write_text(json.dumps({"typed": [typed], "finished": True}))
    write({"prior": {"k": 1}, "data": {"name": "imagefolder"}, "seed": 0}, folder / "first", "train")
    return folder


def run(*words, **env):
    return subprocess.run([sys.executable, "-m", "dgn", "dashboard", *map(str, words)], cwd=ROOT, text=True,
                          capture_output=True, env={"PATH": "/usr/bin:/bin", **env})  # fmt: skip


def test_what_was_swept_is_named_by_where_the_runs_keep_it(sweep, tmp_path):
    assert dashboard.swept(sweep) == ["prior.k", "data.name"]  # a schedule has no name
    (sweep / "first/config.yaml").unlink()
    with pytest.raises(UserError, match=r"no point of .* has started"):
        dashboard.swept(sweep)
    with pytest.raises(UserError, match="not the folder of a sweep"):
        dashboard.swept(tmp_path)


def test_every_curve_that_is_logged_has_a_chart():
    starts = [start for starts in dashboard.CURVES.values() for start in starts]
    assert all(any(name.startswith(start) for start in starts) for name in LOGGED)
    assert all(any(name.startswith(start) for name in LOGGED) for start in starts)


def test_without_the_package_one_sentence_says_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb_workspaces.workspaces", None)
    with pytest.raises(UserError, match="install it by pip install wandb-workspaces"):
        dashboard.workspace("me", "dgn", "x", [], None)


@pytest.mark.slow
def test_a_dry_run_prints_what_is_sent(sweep, tmp_path, monkeypatch):
    pytest.importorskip("wandb_workspaces", reason="pip install wandb-workspaces")
    env = {"HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    dry = run(sweep, "--entity", "me", "--dry-run", **env)
    spec = json.loads(dry.stdout)["spec"]
    assert re.findall(r'"accessor": "(config:.*?)"', dry.stdout)[:2] == [
        "config:prior.value.k",
        "config:data.value.name",
    ]
    assert '"summary:target_top1"' in dry.stdout
    assert '"metricRegex": "^val/inversion/.*"' in dry.stdout
    assert '"lab"' in dry.stdout  # the group
    refused = run(sweep, "--entity", "me", **env)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "run wandb login, or add --dry-run" in refused.stderr and "Traceback" not in refused.stderr
    with serve() as server:
        sent = run(sweep, "--entity", "me", **env, WANDB_BASE_URL=server.url, WANDB_API_KEY=KEY)
        assert sent.returncode == 0, sent.stderr
        assert sent.stdout.startswith("workspace: http")
    given = server.given["UpsertView2"]
    assert (given["entityName"], given["projectName"], given["displayName"]) == ("me", "dgn", "Comparison")
    # ids are drawn anew every time
    blank = [
        re.sub(r'"(__id__|id)": "\w+"', "", json.dumps(s, sort_keys=True)) for s in (json.loads(given["spec"]), spec)
    ]
    assert blank[0] == blank[1]
