"""Lightning's trainer as it is set up here, and what it refuses."""

import pytest
import torch
from torch import nn

from dgn.base import lightning
from dgn.base.errors import UserError
from dgn.networks.features import Features

CPU = {"accelerator": "cpu", "devices": 1, "precision": "32-true"}
SLURM = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "a", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}


@pytest.mark.parametrize("tasks", ["2", "x"])
def test_slurm_settings_that_lightning_refuses_are_one_sentence(monkeypatch, tasks):
    for name, value in (SLURM | {"SLURM_NTASKS": tasks}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE", raising=False)
    with pytest.raises(
        UserError, match=r"^Lightning refuses these trainer settings \(.+\): set trainer=cpu, gpu or ddp"
    ) as raised:
        lightning.trainer(CPU, [], [])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("settings", [
    {"devices": "many"}, {"accelerator": "abacus"}, {"strategy": "no_such"}, {"precision": "half"}, {"colour": "red"},
])  # fmt: skip
def test_settings_that_lightning_refuses_are_one_sentence(settings):
    with pytest.raises(UserError, match=r"^Lightning refuses these trainer settings"):
        lightning.trainer(CPU | settings, [], [])


def test_modules_are_on_the_cpu_after_a_failure_too(monkeypatch):
    moves = []
    monkeypatch.setattr(torch.nn.Module, "to", lambda module, device: moves.append(device))
    monkeypatch.setattr(torch.nn.Module, "cpu", lambda module: moves.append("cpu"))
    with pytest.raises(ZeroDivisionError), lightning.on_device(torch.device("cuda"), torch.nn.Identity()):
        raise ZeroDivisionError
    assert moves == [torch.device("cuda"), "cpu"]


class NormAct(nn.BatchNorm2d):
    """A norm with a nonlinearity of its own, as timm's BatchNormAct2d."""

    def forward(self, x):
        return super().forward(x).relu()


class Trained(nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder
        self.generator = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3), NormAct(4))
        self.head = nn.Sequential(self.generator[1])  # the same norm by another name


def test_only_plain_norms_that_are_trained_share_their_statistics(contract):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), NormAct(4), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
    for norm in (network[1], network[3]):
        norm.running_mean.normal_()
    encoder = Features(network, ["1", "3"], contract, activated=True)
    x = torch.rand(2, 3, 16, 16)
    expected = encoder.all(x)
    module = lightning.TrainedNorms().apply(Trained(encoder))
    assert all(torch.equal(value, expected[layer]) for layer, value in module.encoder.all(x).items())
    assert [type(layer) for layer in (network[1], network[3])] == [NormAct, nn.BatchNorm2d]
    assert [type(layer) for layer in module.generator[1::2]] == [nn.SyncBatchNorm, NormAct]
    assert module.head[0] is module.generator[1]
    assert module.generator.eval()(x).min() >= 0


def test_the_trainer_converts_so():
    settings = {"accelerator": "cpu", "devices": 1, "precision": "32-true"}
    for on in (True, False):
        trainer = lightning.trainer(settings | {"sync_batchnorm": on}, [], [])
        found = trainer._accelerator_connector._layer_sync
        assert isinstance(found, lightning.TrainedNorms) is on
