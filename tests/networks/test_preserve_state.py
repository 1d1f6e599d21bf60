"""A network that was handed in is left as it was found."""

import pytest
import torch
from torch import nn

from dgn.base.errors import UserError
from dgn.networks.features import Features
from dgn.networks.preserve_state import preserve_state


def state(network):
    """Everything that looking into a network could change, with the tensors' own memory."""
    tensors = [*network.named_parameters(), *network.named_buffers()]
    grads = [p.grad for p in network.parameters()]
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
    return {
        "modes": {name: module.training for name, module in network.named_modules()},
        "tensors": [(name, id(t), t.data_ptr(), t.stride(), t.dtype, t.requires_grad) for name, t in tensors],
        "grads": [None if grad is None else (id(grad), grad.stride(), grad.dtype) for grad in grads],
        "hooks": [[len(getattr(module, kind)) for kind in hooks] for module in network.modules()],
        "values": [t.clone() for _, t in tensors],
    }  # fmt: skip


def same(before, after):
    assert all(torch.equal(a, b) for a, b in zip(before.pop("values"), after.pop("values"), strict=True))
    assert before == after


@pytest.fixture
def network():
    """Frozen in part, in eval mode in part, with gradients, a buffer and a hook of its owner."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 14 * 14, 5))
    net[0].weight.requires_grad_(False)
    net[1].eval()
    net(torch.rand(2, 3, 16, 16)).sum().backward()
    net[4].register_forward_hook(lambda *_: None)
    return net


def test_a_network_is_left_as_it_was_found(network, contract):
    before = state(network)
    with preserve_state(network):
        features = Features(network, "4", contract, activated=False).double()
        x = torch.rand(1, 3, 16, 16, dtype=torch.float64, requires_grad=True)
        features(x).sum().backward()
        assert x.grad.abs().sum() > 0
        assert not any(module.training for module in network.modules())
    same(before, state(network))


def test_so_it_is_after_an_error(network, contract):
    before = state(network)
    with pytest.raises(UserError), preserve_state(network):
        Features(network, "nowhere", contract, activated=False)
    same(before, state(network))


def test_a_network_that_was_built_under_inference_mode_is_read(contract):
    with torch.inference_mode():
        network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    before, x = state(network), torch.rand(2, 3, 16, 16, requires_grad=True)
    with preserve_state(network):
        features = Features(network, "1", contract, activated=False)
        features(x).sum().backward()
    assert x.grad.abs().sum() > 0
    same(before, state(network))
