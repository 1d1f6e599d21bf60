"""Lightning's trainer as it is set up here."""

import torch
from torch import nn

from dgn.base import lightning
from dgn.networks.features import Features


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
