"""Two processes on the CPU (gloo): the same losses, one decision, one set of weights, and an end when one dies."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dgn.generators.bundle import load
from tests.commands import table

ROOT = Path(__file__).parents[2]
TWO = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]
NAME = "caffenet64-fc6-photos.bundle.safetensors"
# a run that prints each rank's weights at its end; Lightning starts this same file again for the second rank
WRAPPER = """
import hashlib, os, signal, sys
sys.path.insert(0, {root!r})
from dgn.cli import train
from dgn.training.callbacks import Keeper
ended = Keeper.on_fit_end
kill, stop = (int(os.environ.get(name, "-1")) for name in ("KILL_AT", "STOP_AT"))
def on_fit_end(self, trainer, module):
    ended(self, trainer, module)
    weights = b"".join(p.detach().numpy().tobytes() for p in module.parameters() if p.requires_grad)
    with open(self.output / f"rank{{trainer.global_rank}}", "w") as file:
        file.write(hashlib.sha256(weights).hexdigest() + f" {{module.iteration}}")
started = Keeper.on_train_batch_start
def on_train_batch_start(self, trainer, module, batch, i):
    if trainer.global_rank == 1 and module.iteration == kill:
        os.kill(os.getpid(), signal.SIGKILL)
    if trainer.global_rank == 0 and module.iteration == stop:
        signal.raise_signal(signal.SIGTERM)
    started(self, trainer, module, batch, i)
Keeper.on_fit_end, Keeper.on_train_batch_start = on_fit_end, on_train_batch_start
if __name__ == "__main__":
    train()
"""


def start(tmp_path, *words, **env):
    script = tmp_path / "wrapper.py"
    script.write_text(WRAPPER.format(root=str(ROOT)))
    call = [sys.executable, str(script), "data=photos", "data.sources.count=64", "debug=true", *words]
    return subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | env)


def finish(process, code=0):
    shown, _ = process.communicate(timeout=300)
    assert process.returncode == code, shown
    return shown


def losses(out):
    rows = table(out / "metrics.csv")
    return {(r["images"], r["metric"]): float(r["value"]) for r in rows if r["metric"].startswith(("loss/", "val/"))}


@pytest.mark.slow
def test_two_processes_train_as_one_with_the_doubled_batch(tmp_path):
    words = ["trainer.precision=64-true", "generator.norm=false", "loss.warm_up=1", "log_every=1"]
    finish(start(tmp_path, *words, *TWO, "data.batch_size=2", f"output={tmp_path}/two"))
    finish(start(tmp_path, *words, "data.batch_size=4", f"output={tmp_path}/one"))
    two, one = losses(tmp_path / "two"), losses(tmp_path / "one")
    assert len(two) > 20
    assert two == pytest.approx(one, rel=1e-6)
    held = [load(tmp_path / name / NAME) for name in ("two", "one")]
    assert held[0].moments.count == held[1].moments.count == 8
    for name in ("mean", "std", "minimum", "negative"):
        ours, whole = (getattr(bundle.moments, name) for bundle in held)
        torch.testing.assert_close(ours, whole, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
def test_with_batch_norm_both_ranks_end_with_the_same_weights_also_when_one_is_told_to_stop(tmp_path):
    finish(start(tmp_path, *TWO, "iterations=2000", "save_minutes=0", f"output={tmp_path}/out", STOP_AT="3"), 143)
    first, second = ((tmp_path / f"out/rank{rank}").read_text() for rank in (0, 1))
    assert first == second
    assert int(first.split()[1]) == torch.load(tmp_path / "out/last.ckpt", weights_only=True)["iteration"] == 4


@pytest.mark.slow
def test_when_a_rank_dies_the_run_ends(tmp_path):
    process = start(tmp_path, *TWO, "iterations=2000", f"output={tmp_path}/out", KILL_AT="2")
    process.communicate(timeout=300)  # where it waited for the dead, it would wait for half an hour
    assert process.returncode != 0


def ranks(script):
    """The last line that each of two processes prints."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    env = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    call = [sys.executable, "-c", script.format(root=str(ROOT))]
    started = [subprocess.Popen(call, stdout=subprocess.PIPE, text=True, env=env | {"RANK": str(r)}) for r in (0, 1)]
    return [finish(process).splitlines()[-1] for process in started]


DECIDE = """
import json, os, sys
sys.path.insert(0, {root!r})
from types import SimpleNamespace
import torch, torch.distributed as dist
from dgn.training.balance import Released
from dgn.training.deepsim import DeepsimTraining
rank = int(os.environ["RANK"])
dist.init_process_group("gloo")
def reduce(values, reduce_op):
    assert reduce_op == "mean"
    dist.all_reduce(values)
    return values / 2
run = SimpleNamespace(balance=Released(low=0.1, high=0.5, top=10),
                      trainer=SimpleNamespace(strategy=SimpleNamespace(reduce=reduce)))
# r alone: 0.02 / 1 pauses D; 4 / 1 does not
own = [(0.01, 0.01, 1.0), (2.0, 2.0, 1.0)][rank]
log = dict(zip(("loss/d_real", "loss/d_fake", "loss/adversarial"), map(torch.tensor, own)))
DeepsimTraining._decide(run, log)
alone = Released(low=0.1, high=0.5, top=10)
alone.step(*own)
print(json.dumps([run.balance.state(), alone.state()]))
dist.barrier()
dist.destroy_process_group()  # or gloo's threads may meet the interpreter's end, which aborts
"""


@pytest.mark.slow
def test_the_balance_is_decided_from_all_ranks_losses_even_where_their_own_disagree():
    (ours, alone), (theirs, alone_there) = map(json.loads, ranks(DECIDE))
    assert alone != alone_there
    assert ours == theirs == {"train_d": 1, "train_g": 1}  # r = 2.01 of the mean losses


MERGE = """
import os, sys
sys.path.insert(0, {root!r})
import torch, torch.distributed as dist
from dgn.generators.moments import Moments
from dgn.training.export import merged
rank = int(os.environ["RANK"])
dist.init_process_group("gloo")
share = Moments()
share.update(torch.full((1 + rank, 2), float(rank)))
whole, stopped = merged(share, 2), merged(share if rank else None, 2)
print(whole.count, [round(value, 4) for value in whole.mean.tolist()], stopped)
dist.barrier()
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_moments_are_those_of_all_ranks_or_of_none_where_one_was_told_to_stop():
    assert ranks(MERGE) == ["3 [0.6667, 0.6667] None"] * 2
