"""Features: images in [0, 1] to the activation of one named layer, and nothing is computed past it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from dgn.base.errors import UserError, nearest
from dgn.base.precision import full
from dgn.networks.preprocessing import Contract

OUTPUT = "output"  # the layer that is the whole network, where none of its own is called so
ACTIVATIONS = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.Hardsigmoid),
    *(nn.Sigmoid, nn.Tanh, nn.Softmax, nn.LogSoftmax, nn.Softplus, nn.PReLU),
)
BY_NAME = {"GELU", "GELUTanh", "QuickGELU", "Swish", "Mish", "HardSwish", "HardSigmoid", "HardMish"}  # timm's own


class _Reached(Exception):
    """Carries the activation out of the network the moment it is known."""


class Features(nn.Module):
    """A frozen network in eval mode, read at named layers.

    A layer is named as in `network.named_modules()`; "output" is what the network puts out. Behind a layer of tokens,
    `@cls`, `@3` or `@mean` makes a vector of them: the first, the one with that number, the mean.

    Args:
        network: any module that takes one image tensor. It is put in eval mode and its parameters are frozen.
        layers: names of the layers to read.
        contract: the network's input contract.
        activated: whether a layer that ends in its nonlinearity is read after it (a code is; a unit's score is not).
            The nonlinearity must be a module: of one that is called as a function nothing is seen.
    """

    def __init__(self, network: nn.Module, layers: str | Sequence[str], contract: Contract, activated: bool) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.layers = [layers] if isinstance(layers, str) else list(layers)
        self.contract, self.activated = contract, activated
        self.read = {layer: find(network, layer.partition("@")[0]) for layer in self.layers}

    def train(self, mode: bool = True) -> "Features":
        """Stays in eval mode whatever is asked: the network under study is not trained."""
        return super().train(False)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) in [0, 1] to the first layer's activation, at least fp32: see `all`."""
        return self.all(x)[self.layers[0]]

    @torch.no_grad()
    def is_output(self, x: Tensor, activation: Tensor) -> bool:
        """Whether `activation`, read for `x`, is the vector that the network puts out, or what its softmax takes."""
        output = self.network(self.contract.normalise(self.contract.fitted(x)))
        if not isinstance(output, Tensor) or output.ndim != 2 or output.shape != activation.shape:
            return False
        for given in (activation, activation.softmax(1), activation.log_softmax(1)):
            slack = 1e-3 * float(given.abs().max())  # without gradients attention computes in another order
            if torch.allclose(full(output), given, rtol=0, atol=slack):
                return True
        return False

    def all(self, x: Tensor) -> dict[str, Tensor]:
        """The activations of every named layer, from one pass: (N, D), maps (N, C, H, W) or tokens (N, T, D)."""
        found: dict[str, Tensor] = {}
        with self._reading(found):
            with suppress(_Reached):
                self.network(self.contract.normalise(self.contract.fitted(x)))
        missing = [layer for layer in self.layers if layer not in found]
        if missing:
            raise UserError(f"the layer {missing[0]!r} was not run by the network's forward pass: choose another")
        return {layer: _token(layer, channels_first(full(found[layer]))) for layer in self.layers}

    @contextmanager
    def _reading(self, found: dict[str, Tensor]) -> Iterator[None]:
        handles: list[Any] = []

        def keep(layer: str, out: Any) -> None:
            value = tensor_of(out)
            if value is None:
                raise UserError(f"the layer {layer!r} gives a {type(out).__name__}: choose one that gives a tensor")
            # a copy where something later may still write in place (an inplace ReLU)
            last = len(found) + (layer not in found) == len(self.layers)
            found[layer] = value if last else value.clone()
            if last:
                raise _Reached

        for layer, module in self.read.items():
            handles += _reading(module, partial(keep, layer), self.activated)
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _reading(module: nn.Module, keep: Callable[[Any], None], activated: bool) -> list[Any]:
    """Hooks that keep what `module` gives, or, unless `activated`, what went into the nonlinearity that it ends in.

    It ends in one where what it gives is what that one, run last, gave: so also a residual block, a stage of them, and
    a norm with its activation.
    """
    last: dict[str, Any] = {}

    def into(activation: nn.Module, args: tuple) -> None:
        last["in"] = args[0].clone() if getattr(activation, "inplace", False) else args[0]

    def out_of(_: nn.Module, __: tuple, out: Any) -> None:
        last["out"], last["version"] = out, getattr(out, "_version", None)

    def done(_: nn.Module, __: tuple, out: Any) -> None:
        ends = last.get("out") is out and last["version"] == getattr(out, "_version", None)  # nothing added in place
        kept = last["in"] if ends else out
        last.clear()
        keep(kept)

    own = [] if activated else [part for part in module.modules() if is_activation(part)]
    handles = [hook for act in own for hook in (act.register_forward_pre_hook(into), act.register_forward_hook(out_of))]
    return [*handles, module.register_forward_hook(done)]


def find(network: nn.Module, layer: str) -> nn.Module:
    """A layer of a network by its name; UserError with the nearest names."""
    modules = dict(network.named_modules())
    if layer == OUTPUT and OUTPUT not in modules:
        return network
    if layer in modules and layer:
        return modules[layer]
    raise UserError(f"there is no layer {layer!r} in this network: {nearest(layer, [OUTPUT, *filter(None, modules)])}")


def tensor_of(out: Any) -> Tensor | None:
    """What a layer gives, where it is a tensor or a tuple that begins with one (attention gives its weights too)."""
    if isinstance(out, tuple | list) and out:
        out = out[0]
    return out if isinstance(out, Tensor) else None


def channels_first(x: Tensor) -> Tensor:
    """(N, S, S, C), as Swin has its maps, to (N, C, S, S); (N, C, S, S) as it is: inputs are square, so maps are."""
    if x.ndim == 4 and x.shape[1] == x.shape[2] != x.shape[3]:
        return x.permute(0, 3, 1, 2)
    return x


def _token(layer: str, x: Tensor) -> Tensor:
    """(N, T, D) to (N, D) where the layer's name ends in @cls, @mean or @NUMBER; other activations as they are."""
    place = layer.partition("@")[2]
    if not place:
        return x
    if x.ndim != 3:
        raise UserError(f"{layer!r} asks for a token, but this layer gives {tuple(x.shape)}")
    if place == "mean":
        return x.mean(1)
    number = 0 if place == "cls" else int(place) if place.isdecimal() else x.shape[1]
    if number >= x.shape[1]:
        raise UserError(f"{layer!r} names no token: type @cls, @0 to @{x.shape[1] - 1} or @mean")
    return x[:, number]


def is_activation(module: nn.Module) -> bool:
    """Whether a module is a nonlinearity."""
    return isinstance(module, ACTIVATIONS) or type(module).__name__ in BY_NAME
