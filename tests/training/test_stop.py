"""Runs that end early: by a signal, by a kill, by a number that is none, by a disk that takes no more."""

import csv
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from dgn.generators.bundle import load

ROOT = Path(__file__).parents[2]
WORDS = ["data=photos", "debug=true", "iterations=40", "log_every=10", "eval_every=20",
         "data.batch_size=4", "data.sources.count=200", "save_minutes=0", "loss.warm_up=5",
         "discriminator.dropout=0.3"]  # fmt: skip


def start(out, *words, script="train.py", **more):
    call = [sys.executable, str(ROOT / script), *WORDS, *words, f"output={out}"]
    return subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def finish(process, code=0):
    out, error = process.communicate(timeout=300)
    assert process.returncode == code, out + error
    return out + error


def iteration(out):
    return torch.load(out / "last.ckpt", weights_only=True)["iteration"] if (out / "last.ckpt").exists() else 0


def wait_for(out, least, process):
    """Until the checkpoint is past iteration `least`, and a random moment more."""
    until = time.monotonic() + 120
    while iteration(out) < least and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(random.random() / 2)


def curves(out):
    rows = list(csv.DictReader((out / "metrics.csv").open()))
    return [row for row in rows if not row["metric"].startswith("images_per_second")]


@pytest.mark.slow
def test_a_run_that_is_stopped_again_and_again_is_the_uninterrupted_run(tmp_path):
    whole, often = tmp_path / "whole", tmp_path / "often"
    finish(start(whole))
    process, reached = start(often), 0
    for number, code in ((signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, 130)):
        wait_for(often, reached + 2, process)
        process.send_signal(number)
        shown = finish(process, code)
        assert reached < iteration(often) < 40, "too slow or too fast to be stopped on its way"
        reached = iteration(often)
        if code > 0:
            assert f"iteration {reached} is saved" in shown
            assert "resume=true" in shown
        # the number of workers must not matter
        process = start(often, "resume=true", "data.memory_gib=0", f"data.workers={1 if code > 0 else 2}")
    finish(process)
    assert curves(often) == curves(whole)
    name = "caffenet64-fc6-photos.bundle.safetensors"
    assert (often / name).read_bytes() == (whole / name).read_bytes()
    for grid in (whole / "grids").iterdir():
        assert (often / "grids" / grid.name).read_bytes() == grid.read_bytes()
    assert not list(often.rglob(".part-*"))


@pytest.mark.slow
def test_a_second_run_in_one_folder_is_refused(tmp_path):
    first = start(tmp_path, "iterations=400")
    wait_for(tmp_path, 1, first)
    assert "another run is writing" in finish(start(tmp_path, "resume=true"), 1)
    first.send_signal(signal.SIGTERM)
    finish(first, 143)


@pytest.mark.slow
def test_what_is_not_finite_ends_the_run_by_its_name_and_keeps_the_checkpoint_before(tmp_path):
    finish(start(tmp_path, "iterations=2"))
    shown = finish(start(tmp_path, "resume=true", "iterations=9", "loss.pixel.weight=1e38", "module.clip=null"), 1)
    assert "is not a finite number at iteration" in shown
    assert "goes on with loss.pixel.weight=1e+38 instead of 2" in shown
    assert "Traceback" not in shown
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.isfinite(value).all() for value in state.values())


@pytest.mark.slow
def test_what_cannot_change_on_the_way_is_refused_and_the_run_stays_as_it_was(tmp_path):
    finish(start(tmp_path, "iterations=2"))
    before = (tmp_path / "config.yaml").read_bytes()
    for word in ("module.ema=0.99", "loss=deepsim", "encoder.layer=pool5"):
        shown = finish(start(tmp_path, "resume=true", "iterations=4", word), 1)
        assert "is of other networks or losses" in shown and "Traceback" not in shown
    shown = finish(start(tmp_path, "resume=true", "iterations=4", "generator.code_scale=2"), 1)
    assert "cannot change on the way: leave it out" in shown and "Traceback" not in shown
    assert (tmp_path / "config.yaml").read_bytes() == before
    finish(start(tmp_path, "resume=true", "iterations=4", "data.batch_size=2"))
    name = "caffenet64-fc6-photos.bundle.safetensors"
    assert load(tmp_path / name).record["images_seen"] == 2 * 4 + 2 * 2


@pytest.mark.slow
def test_a_full_disk_ends_in_a_sentence_and_the_checkpoint_before_stays(tmp_path):
    finish(start(tmp_path, "iterations=2"))
    before = (tmp_path / "last.ckpt").read_bytes()

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))

    shown = finish(start(tmp_path, "resume=true", "iterations=9", preexec_fn=limit), 1)
    assert "nothing can be written" in shown
    assert "Traceback" not in shown
    assert (tmp_path / "last.ckpt").read_bytes() == before
    assert not list(tmp_path.rglob(".part-*"))


def test_a_folder_that_cannot_be_written_is_a_sentence():
    shown = finish(start("/dev/null/run"), 1)
    assert "nothing can be written" in shown
    assert "Traceback" not in shown


@pytest.mark.slow
def test_a_generator_begins_with_a_bundles_weights(tmp_path):
    first = tmp_path / "first"
    finish(start(first, "iterations=2"))
    bundle = first / "caffenet64-fc6-photos.bundle.safetensors"
    shown = finish(start(tmp_path / "second", "iterations=2", f"init={bundle}"))
    assert "G begins with the weights of" in shown
    assert "8 images seen" in shown
    words = ["iterations=2", f"init={bundle}", "generator.hidden=64"]
    assert "holds another G (layers differ)" in finish(start(tmp_path / "third", *words), 1)
    bundle.unlink()  # what the second run begins with is in its checkpoint
    shown = finish(start(tmp_path / "second", "iterations=3", f"init={bundle}", "resume=true"))
    assert "G begins" not in shown
    assert load(tmp_path / "second" / bundle.name).record["images_seen"] == 8 + 12
