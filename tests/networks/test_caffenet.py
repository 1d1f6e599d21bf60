"""CaffeNet and its 64-px pattern."""

import pytest
import torch

from dgn.networks import zoo
from dgn.networks.caffenet import CaffeNet, CaffeNet64
from tests import released


def test_caffenet_is_the_released_network():
    with torch.device("meta"):
        network = CaffeNet()
        shapes = {}
        for name, module in network.named_children():
            module.register_forward_hook(lambda _m, _a, out, name=name: shapes.update({name: tuple(out.shape[1:])}))
        network(torch.zeros(1, 3, 227, 227))
    assert sum(p.numel() for p in network.parameters()) == 60_965_224
    expected = {"conv1": (96, 55, 55), "norm1": (96, 27, 27), "conv2": (256, 27, 27), "norm2": (256, 13, 13),
                "conv3": (384, 13, 13), "conv4": (384, 13, 13), "conv5": (256, 13, 13), "pool5": (256, 6, 6),
                "fc6": (4096,), "fc7": (4096,), "fc8": (1000,)}  # fmt: skip
    assert {name: shapes[name] for name in expected} == expected
    assert [network.get_submodule(f"conv{i}").main.groups for i in range(1, 6)] == [1, 2, 1, 2, 2]
    order = list(dict(network.named_children()))
    assert order.index("pool1") < order.index("norm1")  # pool before normalisation, unlike AlexNet


def test_the_norms_are_torchs_with_the_released_numbers():
    for name, channels in (("norm1", 96), ("norm2", 256)):
        own, torchs = CaffeNet(2).get_submodule(name).double(), torch.nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75)
        x = 300 * torch.rand(2, channels, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        found = []
        for norm in (own, torchs):
            given = x.clone().requires_grad_()
            norm(given).square().sum().backward()
            found.append((norm(x), given.grad))
        torch.testing.assert_close(found[0], found[1], rtol=1e-10, atol=1e-10)


@pytest.mark.slow
def test_a_file_with_the_published_names_gives_the_transcribed_scores(tmp_path, synthesis):
    tensors = released.caffenet()
    torch.save({key.replace("fc6.", "fc6.1."): value for key, value in tensors.items()}, tmp_path / "caffenet.pt")
    settings = synthesis("network@target=caffenet", f"target.weights={tmp_path}/caffenet.pt").target
    network = zoo.frozen(settings).eval().double()
    x = 100 * torch.randn(1, 3, 227, 227, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = released.scores({key: value.double() for key, value in tensors.items()}, x)
    torch.testing.assert_close(network(x), expected, rtol=1e-10, atol=1e-10)


def test_published_names_become_ours_below_any_prefix():
    with torch.device("meta"):
        network = CaffeNet()
    published = {f"{name.replace('main.', '')}": value for name, value in network.state_dict().items()}
    assert network.own_names(published).keys() == network.state_dict().keys()
    assert network.own_names(network.state_dict()).keys() == network.state_dict().keys()
    assert list(network.own_names({"model.fc6.1.bias": 0, "fc66.bias": 0})) == ["model.fc6.main.bias", "fc66.bias"]


def test_caffenet64_is_small_and_takes_smaller_images():
    network = CaffeNet64().eval()
    assert sum(p.numel() for p in network.parameters()) < 5e6
    for size in (40, 64):
        assert network(torch.zeros(1, 3, size, size)).shape == (1, 200)


def test_the_shipped_weights_know_their_classes(synthesis):
    node = synthesis().target
    assert len(zoo.classes(node)) == 200
    assert "goldfish" in zoo.classes(node)
