"""A sweep through a real Slurm, two processes a point; docs/slurm.md says how one comes to run on one machine."""

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
TWO = ["hydra/launcher=submitit_slurm", "hydra.launcher.tasks_per_node=2",
       "trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]  # fmt: skip
# a training whose every rank leaves a hash of its weights
WATCHED = """
import hashlib
from pathlib import Path
from dgn.training.deepsim import DeepsimTraining
class Watched(DeepsimTraining):
    def on_fit_end(self):
        weights = b"".join(p.detach().numpy().tobytes() for p in self.parameters() if p.requires_grad)
        rank = f"rank{self.trainer.global_rank}of{self.trainer.world_size}"
        (Path(self.trainer.default_root_dir) / rank).write_text(hashlib.sha256(weights).hexdigest())
"""


def _answers():
    if shutil.which("sinfo") is None:
        return False
    return subprocess.run(["timeout", "10", "sinfo"], capture_output=True).returncode == 0


pytestmark = [pytest.mark.slow, pytest.mark.skipif(not _answers(), reason="no Slurm here: sinfo fails")]


def run(tmp_path, command, *words):
    (tmp_path / "watched.py").write_text(WATCHED)
    call = [sys.executable, f"{command}.py", "-m", *words, "debug=true", f"output={tmp_path}/lab"]
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(call, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr, tmp_path / "lab"


def test_two_points_of_two_ranks_and_one_that_fails(tmp_path):
    words = ["data=photos", "data.sources.count=64", "module._target_=watched.Watched", "log_every=0,1,2"]
    code, shown, lab = run(tmp_path, "train", *TWO, *words)
    assert code == 1 and "2 of 3 points finished" in shown, shown
    assert (lab / "index.html").exists() and len(list(lab.glob("log_every-*"))) == 3
    (failed,) = lab.glob("log_every-0-*")
    assert (failed / "failed.txt").read_text() == "log_every=0 is out of range: set log_every to 1 or more\n"
    for every in (1, 2):
        (point,) = lab.glob(f"log_every-{every}-*")
        assert (point / "rank0of2").read_text() == (point / "rank1of2").read_text()
        record = json.loads((point / "point.json").read_text())
        assert record["finished"] and len(record["typed"]) == 1
        rows = (point / "metrics.csv").read_text().splitlines()
        assert len(rows) == len({(row.split(",")[0], row.split(",")[2]) for row in rows})  # of one rank: none twice
        assert not [*point.glob(".part-*"), *point.glob("failed.txt")]


def test_shards_are_a_process_each_and_become_one_run(tmp_path):
    words = ["units=[goldfish,lemon]", "batch_size=1", "shard=0/2,1/2"]
    code, shown, lab = run(tmp_path, "synthesize", "hydra/launcher=submitit_slurm", *words)
    assert code == 0, shown
    assert len((lab / "results.csv").read_text().splitlines()) == 1 + 2


def test_a_cancelled_point_is_saved_and_its_sweep_ends(tmp_path):
    words = ["data=photos", "data.sources.count=64", "module._target_=watched.Watched", "iterations=2000"]
    with ThreadPoolExecutor() as pool:
        sweep = pool.submit(run, tmp_path, "train", *TWO, *words, "seed=0,1", "save_minutes=0")
        for seed in (0, 1):  # where there is room for both at once, they are cancelled in this order too
            until = time.monotonic() + 120
            while not list(tmp_path.glob(f"lab/seed-{seed}-*/last.ckpt")) and time.monotonic() < until:
                time.sleep(0.2)
            (job,) = {path.name for path in tmp_path.glob(f"lab/.submitit/*_{seed}")}
            subprocess.run(["scancel", job], check=True)
        code, shown, lab = sweep.result()
    assert code == 1 and shown.count("  stopped: seed-") == 2, shown
    for point in lab.glob("seed-*"):
        assert (point / "rank0of2").read_text() == (point / "rank1of2").read_text()
        assert torch.load(point / "last.ckpt", weights_only=True)["iteration"] < 2000
