"""Restore a user's network to the state in which it was passed in."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn


@contextmanager
def preserve_state(network: nn.Module) -> Iterator[nn.Module]:
    """Give `network`; afterwards its modes, parameters and buffers are those of before, whatever became of them inside.

    Per module the train or eval mode; per parameter `requires_grad`, device, dtype, memory format and gradient. The
    weights are referred to, not copied: what writes into them in place is not undone (nothing in dgn does).
    """
    modes = [(module, module.training) for module in network.modules()]
    parameters = [
        (
            module,
            name,
            value,
            value.data,
            value.requires_grad,
            value.grad,
            None if value.grad is None else value.grad.data,
        )
        for module in network.modules()
        for name, value in module._parameters.items()
        if value is not None
    ]
    buffers: list[tuple[nn.Module, dict[str, Tensor | None]]] = [
        (module, dict(module._buffers)) for module in network.modules()
    ]
    try:
        yield network
    finally:
        for module, mode in modes:
            module.training = mode
        for module, name, value, data, wanted, grad, grad_data in parameters:
            value.data = data
            if value.requires_grad != wanted:  # of a tensor made under inference_mode it cannot be set
                value.requires_grad_(wanted)
            if grad is not None and grad_data is not None:
                grad.data = grad_data
            value.grad = grad
            module._parameters[name] = value
        for module, tensors in buffers:
            module._buffers.update(tensors)
