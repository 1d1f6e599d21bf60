"""Any network from codes to images, wrapped as a G."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dgn.base.errors import UserError, first_line
from dgn.base.precision import full
from dgn.generators.base import Generator
from dgn.generators.moments import Moments


class Decoder(Generator):
    """Codes (N, *code_shape) to images (N, C, H, W) of `network`, rescaled from [`black`, `white`] to [0, 1].

    If the network returns a tuple, list, dict or dataclass, the first batch of images in it is used.

    Args:
        network: put in eval mode, its parameters are frozen; see `snapshot` for a network that must stay as it is.
        code_shape: of one code.
        black, white: the network's output values for them.

    Raises UserError if the network does not accept such codes or returns no images.
    """

    def __init__(self, network: nn.Module, code_shape: Sequence[int], black: float, white: float) -> None:
        super().__init__()
        network.eval()  # not chained: a train() of the user's own may return nothing
        network.requires_grad_(False)
        self.network = network
        self.code_shape, self.black, self.white = tuple(code_shape), black, white
        self.args = {}
        try:
            with torch.no_grad():
                image = self(torch.zeros(1, *self.code_shape))
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError, NotImplementedError) as error:
            reason = first_line(error)
            raise UserError(f"the generator does not accept a code of shape {self.code_shape} ({reason}): set "
                            "generator.moments.shape, or codes of the right shape") from None  # fmt: skip
        height, width = image.shape[-2:]
        self.size = width if height == width else (height, width)

    def train(self, mode: bool = True) -> "Decoder":
        """Stays in eval mode."""
        super().train(False)
        return self

    def forward(self, code: Tensor) -> Tensor:
        return (full(image_of(self.network(code))) - self.black) / (self.white - self.black)


def image_of(output: Any) -> Tensor:
    """The first batch of images (N, C, H, W) in a network's output; UserError if there is none."""
    tensors = list(_tensors(output))
    for tensor in tensors:
        if tensor.ndim == 4 and tensor.is_floating_point():
            return tensor
    kinds = ", ".join(f"{tuple(tensor.shape)} of {tensor.dtype}" for tensor in tensors) or f"a {type(output).__name__}"
    raise UserError(f"the generator returns {kinds}: it must return floating-point images (N, C, H, W)")


def _tensors(output: Any) -> Iterator[Tensor]:
    """The tensors in a tensor, list, tuple, dict or in the attributes of an object, one level deep."""
    if isinstance(output, Tensor):
        parts: Any = [output]
    elif isinstance(output, Mapping):
        parts = output.values()
    elif isinstance(output, list | tuple):
        parts = output
    else:
        names = getattr(type(output), "__slots__", ())
        slots = [getattr(output, name, None) for name in ([names] if isinstance(names, str) else names)]
        parts = [*slots, *getattr(output, "__dict__", {}).values()]
    return (part for part in parts if isinstance(part, Tensor))


def snapshot(network: nn.Module) -> nn.Module:
    """A copy of a live network on the CPU in fp32; the network itself keeps its mode, device and gradients."""
    # Spectral and weight norm leave tensors with a graph behind, which cannot be copied; each pass makes them anew.
    computed = [value for module in network.modules() for value in vars(module).values()
                if isinstance(value, Tensor) and not value.is_leaf]  # fmt: skip
    try:
        return copy.deepcopy(network, {id(value): value.detach().clone() for value in computed}).cpu().float()
    except (TypeError, RuntimeError, NotImplementedError, AttributeError) as error:
        raise UserError(f"cannot copy the generator {type(network).__name__} ({first_line(error)}): set "
                        "generator._target_ to its class instead") from None  # fmt: skip


def measured(codes: Tensor) -> Moments:
    """The moments of real codes, (M, *code_shape), M ≥ 2."""
    if codes.ndim < 2 or len(codes) < 2 or not torch.isfinite(codes).all():
        raise UserError(f"moments need at least two codes (M, ...) without NaN or inf, not {tuple(codes.shape)}: set "
                        "other generator.codes")  # fmt: skip
    moments = Moments()
    moments.update(codes)
    return Moments.from_tensors(moments.tensors())  # with the axes as a bundle has them


def constant(shape: Sequence[int], mean: float, std: float, signed: bool) -> Moments:
    """Moments that are equal for all elements; a normal latent has mean 0, std 1 and is `signed`."""
    whole = torch.ones(shape[0], *[1] * (len(shape) - 1))
    negative = whole * (0.5 if signed else 0)
    tensors = {"mean": mean * whole, "std": std * whole, "minimum": -negative, "negative": negative}
    return Moments.from_tensors(tensors | {"count": torch.tensor(1)})
