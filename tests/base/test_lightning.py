"""Lightning's trainer, and what it refuses."""

import pytest
import torch

from dgn.base import lightning
from dgn.base.errors import UserError

CPU = {"accelerator": "cpu", "devices": 1, "precision": "32-true"}
SLURM = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "a", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}


@pytest.mark.parametrize("tasks", ["2", "x"])
def test_slurm_settings_that_lightning_refuses_are_one_sentence(monkeypatch, tasks):
    for name, value in (SLURM | {"SLURM_NTASKS": tasks}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE", raising=False)
    with pytest.raises(UserError, match=r"^the trainer cannot be set up \(.+\): set trainer=cpu, gpu or ddp") as raised:
        lightning.trainer(CPU, [], [])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("settings", [
    {"devices": "many"}, {"accelerator": "abacus"}, {"strategy": "no_such"}, {"precision": "half"}, {"colour": "red"},
])  # fmt: skip
def test_settings_that_lightning_refuses_are_one_sentence(settings):
    with pytest.raises(UserError, match=r"^the trainer cannot be set up"):
        lightning.trainer(CPU | settings, [], [])


def test_modules_are_on_the_cpu_after_a_failure_too(monkeypatch):
    moves = []
    monkeypatch.setattr(torch.nn.Module, "to", lambda module, device: moves.append(device))
    monkeypatch.setattr(torch.nn.Module, "cpu", lambda module: moves.append("cpu"))
    with pytest.raises(ZeroDivisionError), lightning.on_device(torch.device("cuda"), torch.nn.Identity()):
        raise ZeroDivisionError
    assert moves == [torch.device("cuda"), "cpu"]
