"""Runs that end early: by a signal, by a kill, by a number that is none, by a disk that takes no more."""

import resource
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch

from dgn.generators.bundle import load
from dgn.training.callbacks import Keeper
from tests.commands import ROOT, run, table

WORDS = ["data=photos", "debug=true", "iterations=16", "log_every=4", "eval_every=8",
         "data.batch_size=4", "data.sources.count=200", "save_minutes=0", "loss.warm_up=5",
         "discriminator.dropout=0.3"]  # fmt: skip
NAME = "caffenet64-fc6-photos.bundle.safetensors"
# a training that is killed while it writes the checkpoint of its fifth iteration
KILLED = """
import os, runpy, signal, sys
import pytorch_lightning as pl
from dgn import cli
save = pl.Trainer.save_checkpoint
def save_checkpoint(self, path, **more):
    save(self, path, **more)
    if self.lightning_module.iteration == 5:
        os.kill(os.getpid(), signal.SIGKILL)
pl.Trainer.save_checkpoint = save_checkpoint
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def train(out, *words, code=0):
    """Train in the folder `out`; all that the command printed."""
    return "".join(run(ROOT / "train.py", *WORDS, *words, f"output={out}", code=code))


def apart(out, *words, code=0, script=(), **more):
    """The same in a process of its own."""
    call = [sys.executable, *script, ROOT / "train.py", *WORDS, *words, f"output={out}"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=300, cwd=ROOT, **more)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def iteration(out):
    return torch.load(out / "last.ckpt", weights_only=True)["iteration"]


@pytest.fixture
def during(monkeypatch):
    """Have something done at the start of an iteration: `with during(3, do): train(…)`."""

    started = Keeper.on_train_batch_start

    @contextmanager
    def at(number, do):
        def on_train_batch_start(self, trainer, module, batch, i):
            started(self, trainer, module, batch, i)
            if module.iteration == number:
                do()

        with monkeypatch.context() as patch:
            patch.setattr(Keeper, "on_train_batch_start", on_train_batch_start)
            yield

    return at


def curves(out):
    rows = table(out / "metrics.csv")
    return [row for row in rows if not row["metric"].startswith("images_per_second")]


@pytest.mark.slow
def test_a_run_that_is_stopped_again_and_again_is_the_uninterrupted_run(during, tmp_path):
    whole, often = tmp_path / "whole", tmp_path / "often"
    train(whole)
    apart(often, code=-signal.SIGKILL, script=("-c", KILLED))
    assert iteration(often) == 4
    assert list(often.rglob(".part-*"))
    # the number of workers must not matter
    for number, code, at, workers in ((signal.SIGTERM, 143, 7, 2), (signal.SIGINT, 130, 11, 1)):
        with during(at, lambda number=number: signal.raise_signal(number)):
            shown = train(often, "resume=true", "data.memory_gib=0", f"data.workers={workers}", code=code)
        assert iteration(often) == at + 1  # the iteration is finished
        assert f"iteration {at + 1} is saved" in shown
        assert "resume=true" in shown
    train(often, "resume=true", "data.memory_gib=0", "data.workers=1")
    assert curves(often) == curves(whole)
    assert (often / NAME).read_bytes() == (whole / NAME).read_bytes()
    for grid in (whole / "grids").iterdir():
        assert (often / "grids" / grid.name).read_bytes() == grid.read_bytes()
    assert not list(often.rglob(".part-*"))


@pytest.mark.slow
def test_a_second_run_in_one_folder_is_refused(during, tmp_path):
    said = []
    with during(1, lambda: said.append(apart(tmp_path, "resume=true", code=1))):
        train(tmp_path, "iterations=2")
    (refused,) = said
    assert "another run is writing" in refused


@pytest.mark.slow
def test_what_is_not_finite_ends_the_run_by_its_name_and_keeps_the_checkpoint_before(tmp_path):
    train(tmp_path, "iterations=2")
    shown = train(tmp_path, "resume=true", "iterations=9", "loss.pixel.weight=1e38", "module.clip=null", code=1)
    assert "became NaN or inf at iteration" in shown
    assert "resuming with loss.pixel.weight=1e+38 instead of 2" in shown
    assert "Traceback" not in shown
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.isfinite(value).all() for value in state.values())


@pytest.mark.slow
def test_what_cannot_change_on_the_way_is_refused_and_the_run_stays_as_it_was(tmp_path):
    train(tmp_path, "iterations=2")
    before = (tmp_path / "config.yaml").read_bytes()
    for word in ("module.ema=0.99", "loss=deepsim", "encoder.layer=pool5"):
        shown = train(tmp_path, "resume=true", "iterations=4", word, code=1)
        assert "it has other networks or losses" in shown and "Traceback" not in shown
    shown = train(tmp_path, "resume=true", "iterations=4", "generator.code_scale=2", code=1)
    assert "leave generator.code_scale out" in shown and "Traceback" not in shown
    assert (tmp_path / "config.yaml").read_bytes() == before
    train(tmp_path, "resume=true", "iterations=4", "data.batch_size=2")
    assert load(tmp_path / NAME).record["images_seen"] == 2 * 4 + 2 * 2


@pytest.mark.slow
def test_a_full_disk_ends_in_a_sentence_and_the_checkpoint_before_stays(tmp_path):
    train(tmp_path, "iterations=2")
    before = (tmp_path / "last.ckpt").read_bytes()

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))

    shown = apart(tmp_path, "resume=true", "iterations=9", code=1, preexec_fn=limit)
    assert "cannot write (" in shown
    assert "Traceback" not in shown
    assert (tmp_path / "last.ckpt").read_bytes() == before
    assert not list(tmp_path.rglob(".part-*"))


def test_a_folder_that_cannot_be_written_is_a_sentence():
    shown = train("/dev/null/run", code=1)
    assert "cannot write /dev/null/run" in shown
    assert "Traceback" not in shown


@pytest.mark.slow
def test_a_generator_begins_with_a_bundles_weights(tmp_path):
    first = tmp_path / "first"
    train(first, "iterations=2")
    bundle = first / NAME
    shown = train(tmp_path / "second", "iterations=2", f"init={bundle}")
    assert "warm start: G from" in shown
    assert "8 images seen" in shown
    words = ["iterations=2", f"init={bundle}", "generator.hidden=64"]
    assert "has another G, which differs in layers" in train(tmp_path / "third", *words, code=1)
    bundle.unlink()  # what the second run begins with is in its checkpoint
    shown = train(tmp_path / "second", "iterations=3", f"init={bundle}", "resume=true")
    assert "G begins" not in shown
    assert load(tmp_path / "second" / bundle.name).record["images_seen"] == 8 + 12


def test_a_run_stops_at_the_number_asked_for(tmp_path):
    said = train(tmp_path / "a", "stop_at=100")
    assert "is at most stop_at=100: training ends here" in said and f"bundle: {tmp_path / 'a' / NAME}" in said
    assert " left\n" not in said.partition("iteration 8 ")[2]  # nothing is left
    assert iteration(tmp_path / "a") == 8 and not (tmp_path / "a" / "latest.bundle.safetensors").exists()
    assert load(tmp_path / "a" / NAME).record["images_seen"] == 8 * 4
    train(tmp_path / "a", "stop_at=1e-9", "resume=true")  # not reached: to the last iteration
    assert iteration(tmp_path / "a") == 16
