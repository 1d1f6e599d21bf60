"""What is read where a layer gives several tensors."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from dgn.networks.features import Features
from dgn.networks.outputs import parts, tensor_of
from dgn.networks.summary import layers

Pair = namedtuple("Pair", "logits aux")


@dataclass
class Output:
    logits: torch.Tensor
    loss: torch.Tensor | None = None


@dataclass(slots=True)
class Slots:
    loss: None
    logits: torch.Tensor


class Plain:
    def __init__(self, logits):
        self.count, self.logits = 3, logits


class Wrapped(nn.Module):
    def __init__(self, network, wrap):
        super().__init__()
        self.network, self.wrap = network, wrap

    def forward(self, x):
        return self.wrap(self.network(x))


WRAPS = {
    "[0]": lambda y: (y, y.detach()),
    "[0] of one": lambda y: [y],
    "[1]": lambda y: (None, y),
    "[1] behind a loss": lambda y: (y.mean(), y),
    "[0][0]": lambda y: ((y, y + 1), y + 2),
    ".logits": lambda y: Pair(y, None),
    "['out']": lambda y: OrderedDict(map=y[..., None, None], out=y, aux=y + 1),
    "['a'][1]": lambda y: {"a": [None, y]},
    ".logits of a dataclass": Output,
    ".logits of slots": lambda y: Slots(None, y),
    ".logits of an object": Plain,
}


@pytest.mark.parametrize("place", WRAPS)
def test_the_vector_is_read_and_has_ranks(tiny, contract, place):
    x = torch.rand(2, 3, 16, 16)
    network = Wrapped(tiny, WRAPS[place])
    whole = Features(network, "output", contract, activated=False)
    torch.testing.assert_close(whole(x), tiny(x))
    assert whole.places == {"output": place.partition(" ")[0]}
    for layer, expected in (("output", True), ("network.out", True), ("network.fc.1", False)):
        read = Features(network, layer, contract, activated=False)
        assert read.is_output(x, read(x)) is expected
    assert {layer.name: layer.shape for layer in layers(network, contract)}["output"] == (7,)


def test_of_attention_the_tokens_are_read():
    tokens, weights = torch.rand(2, 5, 12), torch.rand(2, 5, 5)
    assert tensor_of((tokens, weights), 2) is tokens
    assert tensor_of((tokens, torch.rand(2, 7)), 2) is tokens


def test_what_holds_no_tensor_has_no_parts():
    endless = {}
    endless["self"] = endless
    for out in (None, 3, "text", [], {"a": 1}, nn.ReLU, endless):
        assert tensor_of(out, 2) is None and not parts(out)


def test_one_output_has_no_rank(tiny, contract):
    x = torch.rand(2, 3, 16, 16)
    network = nn.Sequential(tiny, nn.Linear(7, 1))
    for net in (network, nn.Sequential(network, nn.Sigmoid())):
        read = Features(net, "output", contract, activated=False)
        assert not read.is_output(x, read(x))
