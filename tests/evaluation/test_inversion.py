"""How often networks name what a generator made of an image."""

import pytest
import torch
from torch import nn

from dgn.evaluation import inversion
from dgn.evaluation.judge import Judge
from dgn.networks.features import OUTPUT, Features


class Colours(nn.Module):
    """Says how red, green and blue an image is."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


class Turned(nn.Module):
    """A G that gives the colours back as blue, green, red."""

    def forward(self, code: torch.Tensor) -> torch.Tensor:
        return code.flip(1)[..., None, None].expand(*code.shape, 16, 16)


def test_real_images_and_reconstructions_are_named(contract):
    encoder = Features(Colours(), OUTPUT, contract, activated=True)
    judge = Judge(encoder, ["red", "green", "blue"], "colours")
    x = torch.tensor([[0.9, 0.2, 0.1], [0.1, 0.8, 0.2], [0.7, 0.1, 0.3]])[..., None, None].expand(3, 3, 16, 16)
    batches = [(x[:2], torch.tensor([0, 1])), (x[2:], torch.tensor([2]))]
    found = inversion.named({"judge": judge}, encoder, Turned(), batches, ["red", "green", "blue"])
    assert found["judge_top1/real"] == pytest.approx(200 / 3)
    assert found["judge_top1/reconstructions"] == pytest.approx(200 / 3)
    assert found["judge_top5/real"] == 100
    known = inversion.named({"judge": judge}, encoder, Turned(), batches, ["purple", "green", "blue"])
    assert known["judge_top1/real"] == 50  # an image whose class it does not know is not counted
    assert known["judge_top1/reconstructions"] == 100


class Grey(nn.Module):
    """A G that gives back the mean colour alone."""

    def forward(self, code: torch.Tensor) -> torch.Tensor:
        return code.mean(1)[:, None, None, None].expand(-1, 3, 16, 16)


class Squares(nn.Module):
    """A map of two channels."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x[:, :1] ** 2, x[:, 1:2]], 1)


def test_the_observer_sees_means_over_positions(contract):
    encoder = Features(Colours(), OUTPUT, contract, activated=True)
    observer = Features(Squares(), OUTPUT, contract, activated=True)
    x = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    found = inversion.errors(encoder, {"": Grey()}, [(x[:4],), (x[4:],)], observer)
    y = x.mean((1, 2, 3))[:, None, None, None].expand(-1, 3, 16, 16)
    real, seen = (Squares()(contract.normalise(t)).mean((2, 3)).double() for t in (x, y))
    expected = (real - seen).square().sum() / (real - real.mean(0)).square().sum()
    assert found["unexplained/observer"] == pytest.approx(float(expected), rel=1e-4)
    assert "unexplained/observer" not in inversion.errors(encoder, {"": Grey()}, [(x,)])
