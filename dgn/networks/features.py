"""Features: images in [0, 1] to the activation of one named layer, and nothing is computed past it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from dgn.base.errors import UserError, nearest
from dgn.base.precision import full
from dgn.networks.layout import arranged, close
from dgn.networks.outputs import channels_first, chosen, parts
from dgn.networks.preprocessing import Preprocessing

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

    A layer is named as in `network.named_modules()`; "output" is what the network puts out. Of a module that runs more
    than once its first run is read. Behind a layer of tokens, `@cls`, `@3` or `@mean` makes a vector of them: the
    first, the one with that number, the mean.

    Args:
        network: any module that takes one image tensor. It is put in eval mode and its parameters are frozen.
        layers: names of the layers to read.
        contract: the network's input contract.
        activated: whether a layer that ends in its nonlinearity is read after it (a code is; a unit's score is not).
            The nonlinearity must be a module: of one that is called as a function nothing is seen.

    Attributes:
        channels_last: the memory format of the images that the network is given, however they come; see `settle`.
        least: how many images the network needs at once, one or two; a single image is then given twice.
        places: of the layers that gave several tensors, which one was read, see `dgn.networks.outputs`.
    """

    def __init__(
        self, network: nn.Module, layers: str | Sequence[str], contract: Preprocessing, activated: bool
    ) -> None:
        super().__init__()
        if lazy(network):
            raise UserError("the network has lazy layers without weights: run it on an image once before")
        leave_inference_mode(network)
        network.eval()  # not chained: a train() of the user's own may return nothing
        network.requires_grad_(False)
        self.network = network
        self.layers = [layers] if isinstance(layers, str) else list(layers)
        self.contract, self.activated = contract, activated
        self.channels_last, self.least = False, 1
        self.places: dict[str, str] = {}
        for layer in self.layers:
            find(network, layer.partition("@")[0])

    def train(self, mode: bool = True) -> "Features":
        """Stays in eval mode whatever is asked: the network under study is not trained."""
        return super().train(False)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) in [0, 1] to the first layer's activation, at least fp32: see `all`."""
        return self.all(x)[self.layers[0]]

    def all(self, x: Tensor) -> dict[str, Tensor]:
        """The activations of every named layer, from one pass: (N, D), maps (N, C, H, W) or tokens (N, T, D)."""
        return self._read(x, on=False)[0]

    def whole(self, x: Tensor) -> tuple[dict[str, Tensor], Any]:
        """`all`, and what the network puts out; None where it fails behind the layers."""
        return self._read(x, on=True)

    @torch.no_grad()
    def is_output(self, x: Tensor, activation: Tensor) -> bool:
        """Whether `activation`, read for `x`, is a vector that the network puts out, or what its softmax takes.

        A vector of one is none: it has no softmax and no rank.
        """
        if activation.ndim != 2 or activation.shape[1] == 1:
            return False
        variants = (activation, activation.softmax(1), activation.log_softmax(1))
        return any(
            output.shape == activation.shape and any(close(full(output), variant) for variant in variants)
            for output in parts(self.whole(x)[1]).values()
        )

    def _input(self, x: Tensor) -> Tensor:
        return arranged(self.contract.normalise(self.contract.fitted(x)), self.channels_last)

    def _read(self, x: Tensor, on: bool) -> tuple[dict[str, Tensor], Any]:
        """The activations, and, where the pass goes `on` behind the layers, what the network puts out."""
        count, output = len(x), None
        x = torch.cat([x, x]) if count < self.least else x
        found: dict[str, Tensor] = {}
        with self._reading(found, len(x), on):
            try:
                output = self.network(self._input(x))
            except _Reached:
                pass
            except Exception:
                if not on or len(found) < len(self.layers):
                    raise
        for layer in self.layers:
            if layer not in found:
                raise UserError(_not_run(layer, find(self.network, layer.partition("@")[0])))
        tensors = {layer: _token(layer, channels_first(full(found[layer]))) for layer in self.layers}
        if len(x) > count:
            tensors = {layer: value[:count] for layer, value in tensors.items()}
        return tensors, output

    @contextmanager
    def _reading(self, found: dict[str, Tensor], count: int, on: bool) -> Iterator[None]:
        handles: list[Any] = []

        def keep(layer: str, out: Any) -> None:
            if layer in found:
                return
            place = chosen(out, count)
            if place is None:
                raise UserError(f"the layer {layer!r} gives a {type(out).__name__}: choose one that gives a tensor")
            if place:
                self.places[layer] = place
            # a copy where something later may still write in place (an inplace ReLU)
            last = not on and len(found) + 1 == len(self.layers)
            value = parts(out)[place]
            found[layer] = value if last else value.clone()
            if last:
                raise _Reached

        try:
            for layer in self.layers:  # looked up now: a module may have been replaced since, as for several devices
                module = find(self.network, layer.partition("@")[0])
                handles += _reading(module, partial(keep, layer), self.activated)
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
    """A layer of a network by its name, or by another of its names; UserError with the nearest names."""
    if layer:
        with suppress(AttributeError):
            return network.get_submodule(layer)
    if layer == OUTPUT:
        return network
    names = [OUTPUT, *(name for name, _ in network.named_modules() if name)]
    raise UserError(f"there is no layer {layer!r} in this network: {nearest(layer, names)}")


def _not_run(layer: str, module: nn.Module) -> str:
    inside = [f"{layer}.{name}" for name, _ in module.named_children()]
    kind = type(module).__name__
    if inside:
        more = ", …" if len(inside) > 3 else ""
        return (
            f"the layer {layer!r} ({kind}) is not run by the network as a whole: choose {', '.join(inside[:3])}{more}"
        )
    return f"the layer {layer!r} ({kind}) was not run by the network's forward pass: choose another"


def lazy(network: nn.Module) -> bool:
    """Whether it has lazy modules that have not run yet, and so no weights."""
    return any(map(is_lazy, [*network.parameters(), *network.buffers()]))


def leave_inference_mode(network: nn.Module) -> None:
    """Replace tensors that were made under `torch.inference_mode`, which no gradient can go past, by copies."""
    copies: dict[int, Tensor] = {}
    for module in network.modules():
        held: Any
        for held in (module._parameters, module._buffers):
            for name, value in held.items():
                if value is not None and not is_lazy(value) and value.is_inference():
                    with torch.inference_mode(False):
                        copy = copies.setdefault(id(value), value.detach().clone())
                        held[name] = copy if held is module._buffers else nn.Parameter(copy, value.requires_grad)


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
