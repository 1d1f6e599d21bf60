"""What a run tells W&B, read back from what it wrote or sent."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dgn.base.errors import UserError
from dgn.base.files import sha256
from dgn.loggers import WandbLog
from tests.commands import ROOT, run
from tests.loggers.job import LABELS, PICTURE, job
from tests.wandb_server import KEY, serve


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The records of three offline jobs: one that fails, another, and the first one resumed."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.raises(KeyError):
        job(folder / "a", 10, 20, fails=True)
    job(folder / "b", 10)
    job(folder / "a", 20, 30)
    return [(file, inspect(file)) for file in (*offline(folder / "a"), *offline(folder / "b"))]


def inspect(file):
    """What `wandb leet inspect` prints of a run, as records."""
    words = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", file]
    environ = os.environ | {"WANDB_ERROR_REPORTING": "false"}
    shown = subprocess.run(words, capture_output=True, text=True, check=True, env=environ).stdout
    return [json.loads(line) for line in shown.splitlines()]


def offline(folder):
    """The files of a folder's offline runs, in the order they were begun."""
    return sorted(folder.glob("wandb/offline-run-*/*.wandb"))


def test_labels_may_be_numbers_and_one_that_is_too_long_is_a_sentence(tmp_path):
    log = WandbLog(tmp_path / "a", **LABELS | {"group": 5, "tags": [1], "mode": "offline"})
    assert (log.labels["group"], log.labels["tags"]) == ("5", ["1"])
    before = dict(os.environ)
    with pytest.raises(UserError, match=r"cannot start a W&B run .*: set other"):
        _ = WandbLog(tmp_path / "b", **LABELS | {"tags": ["x" * 70], "mode": "offline"}).experiment
    assert dict(os.environ) == before
    assert WandbLog(tmp_path / "c", **LABELS | {"tags": None, "mode": "offline"}).labels["tags"] == []


def of(records, kind):
    return [record[kind] for record in records if record["type"] == kind]


def test_an_offline_run_reads_back(runs):
    file, records = runs[1]
    run = of(records, "run")[0]
    assert {
        "display_name": "a",
        "project": "dgn",
        "run_group": "a sweep",
        "job_type": "generator",
    }.items() <= run.items()
    assert run["tags"] == ["one", "two"]
    items = [entry["item"] for entry in of(records, "history")]
    assert [(i["images"], i["iteration"], i["loss/pixel"], i["val/top1"]) for i in items] == [
        (640, 20, 1 / 20, 0.2), (960, 30, 1 / 30, 0.3),
    ]  # fmt: skip
    assert {"glob_name": "*", "step_metric": "images"}.items() <= of(records, "metric")[0].items()
    shown = np.asarray(Image.open(file.parent / "files" / items[-1]["reconstructions.path"]))
    assert (shown == PICTURE.mul(255).round().byte().permute(1, 2, 0).numpy()).all()
    (kept,) = of(records, "artifact")
    assert (kept["name"], kept["type"]) == ("small.bundle", "bundle")
    assert kept["manifest"]["contents"][0]["local_path"] == str(file.parents[2] / "small.bundle.safetensors")
    summary = {name: value for update in of(records, "summary") for name, value in update["update"].items()}
    assert {name: value for name, value in summary.items() if name[0] != "_"} == {
        "val/top1": 0.3, "images": 960, "iteration": 30,
    }  # fmt: skip
    assert {"loss": {"weight": 0.15}, "sizes": {"0.5": 64}}.items() <= of(records, "config")[0]["update"].items()


def test_every_job_is_a_run_that_ends_and_a_resumed_one_keeps_its_id(runs):
    first, resumed, other = [of(records, "run")[0]["run_id"] for _, records in runs]
    assert first == resumed == (runs[0][0].parents[1] / "id").read_text()
    assert first != other
    assert [of(records, "exit")[0].get("exit_code", 0) for _, records in runs] == [1, 0, 0]


def test_an_online_run_reaches_the_server_and_goes_on_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with serve() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        with pytest.raises(KeyError):
            job(tmp_path / "run", 1, 2, mode="online", fails=True)
        (run,) = server.runs.values()
        assert run["exit"] == 1
        job(tmp_path / "run", 2, 3, mode="online")  # from a checkpoint after the first iteration
    assert capsys.readouterr().out == 2 * f"W&B: {server.url}/me/dgn/runs/{run['name']}\n"
    assert server.runs == {(tmp_path / "run/wandb/id").read_text(): run}
    told = {"displayName": "run", "project": "dgn", "groupName": "a sweep", "jobType": "generator", "exit": 0}
    assert told.items() <= run.items()
    assert run["tags"] == ["one", "two"]
    assert json.loads(run["config"])["loss"] == {"value": {"weight": 0.15}}
    lines = [json.loads(line) for line in run["lines"]["wandb-history.jsonl"]]
    assert [(line["images"], line["loss/pixel"]) for line in lines] == [(32, 1), (64, 1 / 2), (96, 1 / 3)]
    assert json.loads(run["lines"]["wandb-summary.json"][0])["val/top1"] == 0.03
    assert f"/{run['name']}/{lines[-1]['reconstructions']['path']}" in server.files
    assert server.files["/artifact/small.bundle.safetensors"] == b"a bundle"
    assert [kept["artifactTypeName"] for kept in server.artifacts] == ["bundle"]
    assert "CommitArtifact" in server.operations


def test_what_a_job_trained_and_another_used_is_one_artifact_at_the_server(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    path = tmp_path / "small.bundle.safetensors"
    path.write_bytes(b"a bundle")
    with serve() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        for name, told in (("trains", "artifact"), ("climbs", "uses")):
            (tmp_path / name).mkdir()
            log = WandbLog(tmp_path / name, mode="online", **LABELS)
            getattr(log, told)(path, "bundle")
            log.finalize("finished")
    first, second = server.artifacts
    assert (first["digest"], first["artifactCollectionNames"]) == (second["digest"], second["artifactCollectionNames"])
    assert "UseArtifact" in server.operations


def test_sync_sends_what_was_kept_offline(runs, tmp_path):
    with serve() as server:
        environ = os.environ | {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY, "WANDB_ERROR_REPORTING": "false"}
        environ["WANDB_CACHE_DIR"] = str(tmp_path)
        words = [sys.executable, "-m", "wandb", "sync", "--yes", *[file.parent for file, _ in runs[:2]]]
        subprocess.run(words, check=True, capture_output=True, cwd=tmp_path, env=environ)
    (run,) = server.runs.values()
    lines = [json.loads(line) for line in run["lines"]["wandb-history.jsonl"]]
    assert [line["images"] for line in lines] == [320, 640, 640, 960]  # the stretch that was run again comes twice
    assert (run["groupName"], run["exit"]) == ("a sweep", 0)
    assert server.files["/artifact/small.bundle.safetensors"] == b"a bundle"


def test_a_server_that_is_gone_does_not_hold_up_the_end(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setattr(WandbLog, "end_seconds", 1)
    with serve() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        log = WandbLog(tmp_path / "run", mode="online", **LABELS)
        log.log_metrics({"loss/pixel": 1, "images": 32}, step=1)
    log.finalize("finished")
    assert re.search(
        r"no answer from the server; to upload, run wandb sync --include-online \S+/run-\S+", capsys.readouterr().out
    )


@pytest.mark.parametrize("key", ["", KEY])
def test_online_without_a_key_or_a_server_gets_one_sentence(tmp_path, monkeypatch, capfd, key):
    monkeypatch.setattr(WandbLog, "begin_seconds", 1)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", key)
    with pytest.raises(UserError, match=r"^cannot start a W&B run \(.*\): run wandb login, or set logger.mode="):
        job(tmp_path / "run", 1, mode="online")
    assert capfd.readouterr() == ("", "")


WATCHED = {
    "strace": ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o"],
    "unshare": ["unshare", "--net"],
}


def watch(log):
    """How to run a command whose network is watched: every address it asks for in `log`, or without any network."""
    if shutil.which("strace") and not subprocess.run([*WATCHED["strace"], log, "true"], capture_output=True).returncode:
        return [*WATCHED["strace"], log]
    if shutil.which("unshare") and not subprocess.run([*WATCHED["unshare"], "true"], capture_output=True).returncode:
        return WATCHED["unshare"]
    pytest.skip("neither strace nor unshare --net works here")


@pytest.mark.slow
def test_an_offline_sweep_of_trainings_touches_no_network(image_tree, tmp_path):
    log, sweep = tmp_path / "calls", tmp_path / "sweep"
    log.touch()
    words = [*watch(log), sys.executable, ROOT / "train.py", "-m", "data=imagefolder", f"data.root={image_tree}",
             "debug=true", "logger=wandb", "seed=0,1", f"output={sweep}"]  # fmt: skip
    subprocess.run(words, check=True, capture_output=True, timeout=300)
    away = [line for line in log.read_text().splitlines() if "AF_INET" in line]
    assert [line for line in away if not re.search(r"127\.0\.0\.1|\"::1\"", line)] == []
    runs = [inspect(file) for point in sorted(sweep.iterdir()) for file in offline(point)]
    assert len({of(records, "run")[0]["run_id"] for records in runs}) == 2
    for records in runs:
        assert of(records, "run")[0]["run_group"] == "sweep"
        assert of(records, "run")[0]["job_type"] == "generator"
        last = of(records, "history")[-1]["item"]
        assert {"images": 8, "iteration": 4}.items() <= last.items()
        assert {"loss/pixel", "share/pixel", "balance/count", "images_per_second", "val/inversion/fc6",
                "reconstructions.path"} <= set(last)  # fmt: skip
        assert of(records, "artifact")[0]["type"] == "bundle"
        assert of(records, "exit")[0].get("exit_code", 0) == 0


@pytest.mark.slow
def test_a_synthesis_shows_its_pictures_its_figures_and_what_it_used(small_bundle, tmp_path):
    words = [f"bundle={small_bundle}", "units=[lemon,goldfish]", "debug=true", "logger=wandb", f"output={tmp_path}/out"]
    run(ROOT / "synthesize.py", *words, cwd=tmp_path)
    (file,) = offline(tmp_path / "out")
    records = inspect(file)
    assert of(records, "run")[0]["job_type"] == "synthesize"
    config = {name: value for entry in of(records, "config") for name, value in entry["update"].items()}
    assert config["bundle_sha256"] == sha256(small_bundle)
    (table,) = (a for a in of(records, "artifact") if a["name"].endswith("pictures"))
    inside = {Path(entry["path"]).name for entry in table["manifest"]["contents"]}
    assert {"00000-lemon-0.png", "00001-goldfish-0.png", "pictures.table.json"} <= inside
    summary = {name: value for update in of(records, "summary") for name, value in update["update"].items()}
    assert {"pictures", "dead", "score", "share_at_bound", "target_top1"} <= set(summary)
    assert of(records, "exit")[0].get("exit_code", 0) == 0
