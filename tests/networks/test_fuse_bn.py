"""Folding changes the work, not the function."""

from concurrent.futures import Future, ThreadPoolExecutor, wait
from copy import deepcopy
from time import sleep
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from dgn.networks.caffenet import CaffeNet64
from dgn.networks.fuse_bn import fold


def test_a_folded_network_is_the_same_function():
    torch.manual_seed(0)
    network = CaffeNet64(classes=5).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    expected = network.eval()(x)
    names = list(dict(network.named_modules()))
    folded = fold(network)
    torch.testing.assert_close(folded(x), expected)
    assert list(dict(folded.named_modules())) == names
    assert not any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in folded.modules())


def test_a_layer_that_is_read_keeps_its_own_output():
    network = fold(CaffeNet64(classes=5), read=["conv1.main"])
    assert isinstance(network.conv1.norm, nn.BatchNorm2d)
    assert isinstance(network.conv2.norm, nn.Identity)


class Block(nn.Module):
    """Norms inside a forward pass of one's own: one to fold, one that another reader shares, one run twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.seen, self.beside = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        self.again, self.twice = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = self.seen(self.norm(self.conv(x)).relu())
        x = seen + self.beside(seen)
        return self.twice(self.again(self.twice(self.again(x))))


def lively(network: nn.Module) -> nn.Module:
    """In float64, with statistics as a trained network has them."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return network.double().eval()


def test_a_norm_is_folded_only_where_nothing_else_reads_its_layer():
    torch.manual_seed(0)
    network = lively(Block())
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    expected = network(x)
    torch.testing.assert_close(fold(network)(x), expected)
    assert isinstance(network.norm, nn.Identity)
    assert isinstance(network.beside, nn.BatchNorm2d)
    assert isinstance(network.twice, nn.BatchNorm2d)


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18"])
def test_timms_networks_are_folded_and_keep_their_layers(name: str):
    torch.manual_seed(0)
    network = lively(pytest.importorskip("timm").create_model(name))
    x = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    expected, names = network(x), list(dict(network.named_modules()))
    torch.testing.assert_close(fold(network)(x), expected)
    assert list(dict(network.named_modules())) == names
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


class Picky(nn.Module):
    """Its way depends on its input's values."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x)) if x.sum() > 0 else self.conv(x)


def test_a_network_that_cannot_be_traced_stays_as_it_is():
    network = fold(Picky())
    assert isinstance(network.norm, nn.BatchNorm2d)


class Standardised(nn.Conv2d):
    """Its weights are brought to the norm 1 on the way, so that a factor in them would be lost."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(x, self.weight / self.weight.norm(), self.bias)


@pytest.mark.parametrize(
    "layer", [Standardised(3, 4, 3), nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))], ids=["own", "hooked"]
)
def test_a_layer_that_changes_its_weights_keeps_its_norm(layer: nn.Module):
    torch.manual_seed(0)
    network = lively(nn.Sequential(layer, nn.BatchNorm2d(4)))
    x = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    expected = network(x)
    torch.testing.assert_close(fold(network)(x), expected)
    assert isinstance(network[1], nn.BatchNorm2d)


class Slow(Block):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sleep(0.5)
        return super().forward(x)


class Meanwhile(nn.Module):
    """While its forward pass runs, another thread uses a network, and a third begins to fold one."""

    def __init__(self, pool: ThreadPoolExecutor, others: list[Future]) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.used = lambda: pool.submit(nn.Linear(2, 1), torch.zeros(1, 2)).result()
        self.folded = lambda: others.append(pool.submit(fold, Slow()))
        self.waited = lambda: wait(others, timeout=0.2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.folded()
        self.waited()
        self.used()
        return self.norm(self.conv(x))


def test_other_threads_may_fold_and_use_networks_meanwhile():
    call, others = nn.Module.__call__, []
    with ThreadPoolExecutor(2) as pool:
        network = fold(Meanwhile(pool, others))
        (other,) = [future.result() for future in others]
    assert nn.Module.__call__ is call
    assert isinstance(network.norm, nn.Identity)
    assert isinstance(other.norm, nn.Identity)


class Cached(nn.Module):
    """It keeps what its first pass computed: as an attribute, in a dict, in an object, in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)
        self.ones, self.by_size, self.state = None, {}, SimpleNamespace(count=0)
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        self.state.count = self.state.count + x.shape[0]
        if self.ones is None:
            self.ones = torch.ones_like(x[:1, :1])
        self.by_size.setdefault("mean", x.mean())
        return self.norm(self.conv(torch.cat([x, self.ones.expand(x.shape[0], -1, -1, -1)], 1)))


def test_nothing_of_the_trace_stays_in_a_network_that_keeps_things():
    torch.manual_seed(0)
    network = lively(Cached())
    x = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    expected = deepcopy(network)(x)
    folded = fold(network)
    assert isinstance(folded.norm, nn.Identity)
    assert (folded.ones, folded.by_size, folded.state.count, float(folded.passes)) == (None, {}, 0, 0)
    torch.testing.assert_close(folded(x), expected)


def test_weights_that_are_not_finite_are_left_as_they_are():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    nn.init.constant_(network[0].weight, float("nan"))
    assert isinstance(fold(network)[1], nn.BatchNorm2d)
