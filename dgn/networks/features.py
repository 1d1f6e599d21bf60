"""Features: images in [0, 1] to the activation of one named layer, and nothing is computed past it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dgn import images
from dgn.errors import UserError, nearest
from dgn.precision import full

ACTIVATIONS = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.Hardsigmoid),
    *(nn.Sigmoid, nn.Tanh, nn.Softmax, nn.LogSoftmax, nn.Softplus, nn.PReLU),
)


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What a network takes: how images in [0, 1] RGB become its input, (x · scale − mean) / std in its channel order.

    Attributes:
        size: side of the square input, pixels.
        mean: per channel, in the network's own order and on its own scale.
        std: likewise.
        scale: 1 for networks of [0, 1] images, 255 for those of the Caffe era.
        order: "rgb", "bgr" or "gray".
        interpolation: how images of another size are brought to it: "bilinear", "bicubic" or "nearest".
        fit: "resize" brings the whole image to `size`; "crop" takes the centre, as the released code does.
    """

    size: int
    mean: Sequence[float]
    std: Sequence[float]
    scale: float
    order: str
    interpolation: str
    fit: str

    def fitted(self, x: Tensor) -> Tensor:
        """Images (N, 3, H, W) brought to this size; a crop is taken only where the image is larger."""
        if self.fit == "crop" and min(x.shape[-2:]) > self.size:
            return images.crop_centre(x, self.size)
        return images.resize(x, self.size, self.interpolation)

    def normalise(self, x: Tensor) -> Tensor:
        """RGB in [0, 1] of any size to the network's channels, order and scale."""
        if self.order == "bgr":
            x = x.flip(1)
        elif self.order == "gray":
            x = x.mean(1, keepdim=True)
        mean, std = (x.new_tensor(list(v)).view(1, -1, 1, 1) for v in (self.mean, self.std))
        return (x * self.scale - mean) / std


class _Reached(Exception):
    """Carries the activation out of the network the moment it is known."""


class Features(nn.Module):
    """A frozen network in eval mode, read at named layers.

    Args:
        network: any module that takes one image tensor. It is put in eval mode and its parameters are frozen.
        layers: names as in `network.named_modules()`.
        contract: the network's input contract.
        activated: whether a layer that ends in its nonlinearity is read after it (a code is; a unit's score is not).
    """

    def __init__(self, network: nn.Module, layers: str | Sequence[str], contract: Contract, activated: bool) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.layers = [layers] if isinstance(layers, str) else list(layers)
        self.contract, self.activated = contract, activated
        modules = dict(network.named_modules())
        for layer in self.layers:
            if layer not in modules:
                raise UserError(f"there is no layer {layer!r} in this network: {nearest(layer, filter(None, modules))}")

    def train(self, mode: bool = True) -> "Features":
        """Stays in eval mode whatever is asked: the network under study is not trained."""
        return super().train(False)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [0, 1] to the first layer's activation, (N, D) or (N, C, H, W), at least fp32."""
        return self.all(x)[self.layers[0]]

    @torch.no_grad()
    def is_output(self, x: Tensor, activation: Tensor) -> bool:
        """Whether `activation`, read for the images `x`, is what the whole network puts out."""
        output = self.network(self.contract.normalise(self.contract.fitted(x)))
        alike = isinstance(output, Tensor) and output.shape == activation.shape
        return alike and bool(torch.allclose(full(output), activation))

    def all(self, x: Tensor) -> dict[str, Tensor]:
        """The activations of every named layer, from one pass."""
        found: dict[str, Tensor] = {}
        with self._reading(found):
            with suppress(_Reached):
                self.network(self.contract.normalise(self.contract.fitted(x)))
        missing = [layer for layer in self.layers if layer not in found]
        if missing:
            raise UserError(f"the layer {missing[0]!r} was not run by the network's forward pass: choose another")
        return {layer: full(found[layer]) for layer in self.layers}

    @contextmanager
    def _reading(self, found: dict[str, Tensor]) -> Iterator[None]:
        modules = dict(self.network.named_modules())
        handles = []

        def keep(layer: str, value: Tensor) -> None:
            # a copy where something later may still write in place (an inplace ReLU)
            last = len(found) + 1 == len(self.layers)
            found[layer] = value if last else value.clone()
            if last:
                raise _Reached

        for layer in self.layers:
            module = modules[layer]
            tail = last_leaf(module)
            if not self.activated and isinstance(tail, ACTIVATIONS):
                handles.append(tail.register_forward_pre_hook(lambda _m, args, name=layer: keep(name, args[0])))
            else:
                handles.append(module.register_forward_hook(lambda _m, _a, out, name=layer: keep(name, out)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def last_leaf(module: nn.Module) -> nn.Module:
    """What a (nested) Sequential ends in; any other module is its own last leaf."""
    while isinstance(module, nn.Sequential) and len(module):
        module = module[-1]
    return module
