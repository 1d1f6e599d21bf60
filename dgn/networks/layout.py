"""The order in which a network's tensors lie in memory: channels-last is faster, where the network can take it."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def close(found: Tensor, expected: Tensor) -> bool:
    """Whether two tensors are the same but for the order in which numbers were added (1e-3 of the largest)."""
    if found.shape != expected.shape:
        return False
    found, expected = found.double(), expected.double()
    slack = 1e-3 * float(expected.abs().max()) if expected.numel() else 0.0
    return torch.allclose(found, expected, rtol=0, atol=slack, equal_nan=True)


def settle(network: nn.Module, run: Callable[[bool], Sequence[Tensor]]) -> bool:
    """Whether a network runs channels-last: where it then gives what it gives otherwise. Its weights become so.

    Much sound code takes contiguous tensors alone, such as `x.view(len(x), -1)` behind a convolution, so it is tried.

    Args:
        run: passes images through the network, channels-last or not, and gives whatever must stay the same. What it
            raises for contiguous images is raised.
    """
    expected = run(False)
    _convert(network, torch.channels_last)
    try:
        found = run(True)
        if len(found) == len(expected) and all(map(close, found, expected)):
            return True
    except Exception:  # whatever a network says of tensors that lie otherwise: it only stays slower
        pass
    _convert(network, torch.contiguous_format)
    return False


def arranged(images: Tensor, channels_last: bool) -> Tensor:
    """Images (N, C, H, W) in the memory format in which their network runs."""
    return images.contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)


def _convert(network: nn.Module, memory_format: torch.memory_format) -> None:
    """The weights of convolutions alone: others of four dimensions may be read in their own order."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            for weight in layer.parameters():  # a parametrised one has its own further inside
                if weight.ndim == 4:
                    weight.data = weight.data.contiguous(memory_format=memory_format)
