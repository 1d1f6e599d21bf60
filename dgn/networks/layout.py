"""The memory format of a network's tensors: channels-last, which is faster, if the network supports it."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def close(actual: Tensor, expected: Tensor) -> bool:
    """Whether two tensors are equal up to summation order (1e-3 of the largest value)."""
    if actual.shape != expected.shape:
        return False
    actual, expected = actual.double(), expected.double()
    slack = 1e-3 * float(expected.abs().max()) if expected.numel() else 0.0
    return torch.allclose(actual, expected, rtol=0, atol=slack, equal_nan=True)


def settle(network: nn.Module, run: Callable[[bool], Sequence[Tensor]]) -> bool:
    """Convert a network to channels-last if its results stay the same; returns whether it was converted.

    It is tried, because much valid code needs contiguous tensors, such as `x.view(len(x), -1)` after a convolution.

    Args:
        run: passes images through the network, channels-last or not, and returns all tensors that must stay the same.
            Its errors for contiguous images are raised.
    """
    expected = run(False)
    _convert(network, torch.channels_last)
    try:
        actual = run(True)
        if len(actual) == len(expected) and all(map(close, actual, expected)):
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
