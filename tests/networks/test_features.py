"""Images in [0, 1] to one layer's activation, by the network's own contract."""

import pytest
import torch
from torch import nn

from dgn.base.errors import UserError
from dgn.evaluation.metrics import probabilities
from dgn.networks.features import Features


def test_a_layer_is_read_before_or_after_its_nonlinearity(tiny, contract):
    x = torch.rand(2, 3, 16, 16)
    before = tiny.conv[0](x)
    torch.testing.assert_close(Features(tiny, "conv", contract, activated=False)(x), before)
    torch.testing.assert_close(Features(tiny, "conv", contract, activated=True)(x), tiny.conv[1](before))
    torch.testing.assert_close(Features(tiny, "out", contract, activated=False)(x), tiny(x))


def test_an_inplace_relu_does_not_change_what_was_read(contract):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 3))
    x = torch.rand(1, 3, 16, 16)
    found = Features(network, ["0", "2"], contract, activated=False).all(x)
    torch.testing.assert_close(found["0"], network[0](x))
    assert found["0"].min() < 0


def test_nothing_runs_past_the_layer_and_nothing_stays(tiny, contract):
    class Trap(nn.Module):
        def forward(self, x):
            raise AssertionError("ran past the layer")

    tiny.out = Trap()
    features = Features(tiny, "fc", contract, activated=True)
    for _ in range(3):
        assert features(torch.rand(1, 3, 16, 16)).shape == (1, 12)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in tiny.modules())


def test_the_network_is_frozen_and_stays_in_eval_mode(tiny, contract):
    features = Features(tiny.train(), "out", contract, activated=False)
    features.train()
    assert not any(module.training for module in tiny.modules())
    assert not any(p.requires_grad for p in tiny.parameters())
    x = torch.rand(1, 3, 16, 16, requires_grad=True)
    features(x).sum().backward()
    assert x.grad.abs().sum() > 0


def test_a_wrong_layer_gets_the_nearest_names(tiny, contract):
    with pytest.raises(UserError, match=r"no layer 'cnov'.*did you mean 'conv'"):
        Features(tiny, "cnov", contract, activated=False)


def test_float64_stays_float64(tiny, contract):
    assert Features(tiny.double(), "out", contract, False)(torch.rand(1, 3, 16, 16).double()).dtype == torch.float64


def test_the_output_is_recognised(tiny, contract):
    x = torch.rand(1, 3, 16, 16)
    for layer, expected in (("out", True), ("fc", False)):
        features = Features(tiny, layer, contract, activated=False)
        assert features.is_output(x, features(x)) is expected


@pytest.mark.parametrize("last", [nn.Softmax(1), nn.LogSoftmax(1)])
def test_what_a_last_softmax_takes_is_the_output(tiny, contract, last):
    x = torch.rand(1, 3, 16, 16)
    network = nn.Sequential(tiny, last)
    for activated in (True, False):
        features = Features(network, "output", contract, activated)
        assert features.is_output(x, features(x))
    assert torch.allclose(probabilities(features(x)), tiny(x).softmax(1))
    assert not Features(nn.Sequential(tiny, nn.Sigmoid()), "output", contract, False).is_output(x, tiny(x))


def test_the_output_of_attention_is_recognised(contract):
    torch.manual_seed(0)
    block = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    network = nn.Sequential(nn.Conv2d(3, 1, 1), nn.Flatten(1, 2), block, nn.Flatten(), nn.Linear(256, 5))
    features = Features(network, "4", contract, activated=False)
    x = torch.rand(1, 3, 16, 16)
    with torch.enable_grad():
        activation = features(x.clone().requires_grad_()).detach()
    assert features.is_output(x, activation)


class Block(nn.Module):
    """A residual block: its nonlinearity is no Sequential's last, and serves twice."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
        self.relu = nn.ReLU(inplace)

    def before(self, x):
        return self.conv2(self.relu(self.conv1(x))) + x

    def forward(self, x):
        return self.relu(self.before(x))


@pytest.mark.parametrize("inplace", [False, True])
def test_a_residual_block_is_read_before_its_last_nonlinearity(contract, inplace):
    network = nn.Sequential(Block(inplace), nn.Conv2d(3, 2, 3))
    x = torch.rand(2, 3, 16, 16)
    before = Features(network, "0", contract, activated=False)(x)
    torch.testing.assert_close(before, network[0].before(x))
    assert before.min() < 0
    torch.testing.assert_close(Features(network, "0", contract, activated=True)(x), network[0](x))
    # so is a stage that ends in one, and what is not last is not taken for it
    stage = nn.Sequential(nn.Sequential(nn.Conv2d(3, 3, 1), Block(inplace)))
    found = Features(stage, "0", contract, activated=False)(x)
    torch.testing.assert_close(found, stage[0][1].before(stage[0][0](x)))
    torch.testing.assert_close(Features(network, "0.conv2", contract, activated=False)(x),
                               network[0].conv2(network[0].relu(network[0].conv1(x))))  # fmt: skip


def test_the_output_is_a_layer_of_every_network(tiny, contract):
    x = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(Features(tiny, "output", contract, activated=False)(x), tiny(x))
    tiny.output = nn.Identity()  # a layer of that name wins: this one is never run
    with pytest.raises(UserError, match="does not run the layer 'output' \\(Identity\\)"):
        Features(tiny, "output", contract, activated=False)(x)


class Tokens(nn.Module):
    """A transformer's front: five tokens of 12 a picture, in a tuple as attention gives them."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.attention = nn.Linear(3 * 16 * 16, 60), nn.MultiheadAttention(12, 2, batch_first=True)
        self.head = nn.Linear(12, 4)

    def forward(self, x):
        x = self.embed(x.flatten(1)).view(len(x), 5, 12)
        return self.head(self.attention(x, x, x)[0][:, 0])


def test_tokens(contract):
    torch.manual_seed(0)
    network, x = Tokens(), torch.rand(2, 3, 16, 16)
    tokens = Features(network, "attention", contract, activated=False)(x)
    assert tokens.shape == (2, 5, 12)
    for place, expected in (("cls", tokens[:, 0]), ("3", tokens[:, 3]), ("mean", tokens.mean(1))):
        found = Features(network, f"attention@{place}", contract, activated=False)(x)
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(network.head(tokens[:, 0]), network(x))
    for layer, words in (("attention@5", "set @cls, @0 to @4"), ("head@cls", "returns \\(2, 4\\)")):
        with pytest.raises(UserError, match=words):
            Features(network, layer, contract, activated=False)(x)


def test_a_map_with_channels_last_is_turned(contract):
    class Swin(nn.Module):
        def __init__(self):
            super().__init__()
            self.stage = nn.Linear(3, 5)

        def forward(self, x):
            return self.stage(x.permute(0, 2, 3, 1)).mean((1, 2))

    network, x = Swin(), torch.rand(2, 3, 16, 16)
    found = Features(network, "stage", contract, activated=False)(x)
    assert found.shape == (2, 5, 16, 16)
    torch.testing.assert_close(found.mean((2, 3)), network(x))


def test_what_gives_no_tensor_is_a_sentence(contract):
    class Named(nn.Module):
        def forward(self, x):
            return {"x": 1}

    with pytest.raises(UserError, match="'0' returns a dict"):
        Features(nn.Sequential(Named()), "0", contract, activated=False)(torch.rand(1, 3, 16, 16))


def test_of_a_module_that_runs_twice_the_first_run_is_read(contract):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.other = nn.Conv2d(3, 3, 3), nn.Conv2d(3, 2, 1)

        def forward(self, x):
            return self.other(self.conv(self.conv(x)))

    network, x = Twice(), torch.rand(2, 3, 16, 16)
    expected = network.conv(x)
    for layers in (["conv"], ["conv", "other"], ["other", "conv"]):
        torch.testing.assert_close(Features(network, layers, contract, activated=False).all(x)["conv"], expected)


def test_a_module_that_was_replaced_is_read(contract):
    network, x = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()), torch.rand(2, 3, 16, 16)
    features = Features(network, "1", contract, activated=False)
    expected = features(x)
    features = nn.SyncBatchNorm.convert_sync_batchnorm(features)
    torch.testing.assert_close(features(x), expected)


def test_a_module_may_be_called_by_any_of_its_names(tiny, contract):
    tiny.again, x = nn.Sequential(tiny.conv), torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(Features(tiny, "again.0", contract, activated=True)(x), tiny.conv(x))


def test_a_list_of_layers_names_its_layers(contract):
    class Listed(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList([nn.Conv2d(3, 3, 3) for _ in range(5)])

        def forward(self, x):
            for block in self.blocks:
                x = block(x)
            return x

    with pytest.raises(
        UserError, match=r"only the parts of the layer 'blocks' \(ModuleList\): choose blocks.0, blocks.1, blocks.2, …$"
    ):
        Features(Listed(), "blocks", contract, activated=False)(torch.rand(1, 3, 16, 16))


class Shortcut(nn.Module):
    """A block that adds in place what its activation gave."""

    def __init__(self):
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 3, 3, padding=1), nn.ReLU()

    def forward(self, x):
        y = self.act(self.conv(x))
        y += x
        return y


def test_what_is_added_in_place_after_the_nonlinearity_counts(contract):
    block, x = Shortcut(), torch.rand(1, 3, 16, 16)
    found = Features(nn.Sequential(block), "0", contract, activated=False)(x)
    torch.testing.assert_close(found, block(x))
