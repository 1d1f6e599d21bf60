"""Features: images in [0, 1] to the activation of a named layer; the forward pass stops there."""

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

OUTPUT = "output"  # the network's output, unless a layer has this name
ACTIVATIONS = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.Hardsigmoid),
    *(nn.Sigmoid, nn.Tanh, nn.Softmax, nn.LogSoftmax, nn.Softplus, nn.PReLU),
)
BY_NAME = {"GELU", "GELUTanh", "QuickGELU", "Swish", "Mish", "HardSwish", "HardSigmoid", "HardMish"}  # timm's own


class _Reached(Exception):
    """Ends the forward pass once all activations are known."""


class Features(nn.Module):
    """A frozen network in eval mode, read at named layers.

    A layer is named as in `network.named_modules()`; "output" is the network's output. If a module runs several times,
    its first run is read. After the name of a layer of tokens, `@cls`, `@3` or `@mean` selects one vector: the first
    token, token 3, or the mean.

    Args:
        network: any module that takes one image tensor. It is put in eval mode and its parameters are frozen.
        layers: names of the layers to read.
        contract: the network's input contract.
        activated: whether a layer that ends in a nonlinearity is read after it (true for codes, false for scores).
            Only nonlinearities that are modules are recognised, not function calls.

    Attributes:
        channels_last: whether the network receives channels-last images, see `settle`.
        least: minimum batch size of the network, one or two; a single image is duplicated for two.
        every: whether a call gives the activations of all layers by name, as units in several layers need.
        places: for layers that return several tensors, which one is read, see `dgn.networks.outputs`.
    """

    def __init__(
        self, network: nn.Module, layers: str | Sequence[str], contract: Preprocessing, activated: bool
    ) -> None:
        super().__init__()
        if lazy(network):
            raise UserError("the network has lazy layers without weights: run it once on an image first")
        leave_inference_mode(network)
        network.eval()  # not chained: a train() of the user's own may return nothing
        network.requires_grad_(False)
        self.network = network
        self.layers = [layers] if isinstance(layers, str) else list(layers)
        self.contract, self.activated = contract, activated
        self.channels_last, self.least, self.every = False, 1, False
        self.places: dict[str, str] = {}
        for layer in self.layers:
            find(network, layer.partition("@")[0])

    def train(self, mode: bool = True) -> "Features":
        """Stays in eval mode whatever is asked: the network under study is not trained."""
        return super().train(False)

    def forward(self, x: Tensor) -> Any:
        """Images (N, C, H, W) in [0, 1] to the first layer's activation, at least fp32, or where `every` to `all`."""
        activations = self.all(x)
        return activations if self.every else activations[self.layers[0]]

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
        activations: dict[str, Tensor] = {}
        with self._reading(activations, len(x), on):
            try:
                output = self.network(self._input(x))
            except _Reached:
                pass
            except Exception:
                if not on or len(activations) < len(self.layers):
                    raise
        for layer in self.layers:
            if layer not in activations:
                raise UserError(_not_run(layer, find(self.network, layer.partition("@")[0])))
        tensors = {layer: _token(layer, channels_first(full(activations[layer]))) for layer in self.layers}
        if len(x) > count:
            tensors = {layer: value[:count] for layer, value in tensors.items()}
        return tensors, output

    @contextmanager
    def _reading(self, activations: dict[str, Tensor], count: int, on: bool) -> Iterator[None]:
        handles: list[Any] = []

        def keep(layer: str, out: Any) -> None:
            if layer in activations:
                return
            place = chosen(out, count)
            if place is None:
                raise UserError(f"the layer {layer!r} returns a {type(out).__name__}: choose one that returns a tensor")
            if place:
                self.places[layer] = place
            # a copy where something later may still write in place (an inplace ReLU)
            last = not on and len(activations) + 1 == len(self.layers)
            value = parts(out)[place]
            activations[layer] = value if last else value.clone()
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
    """Hooks that keep the output of `module` or, unless `activated`, the input of its final nonlinearity.

    A module ends in a nonlinearity if its output is the very tensor that the last one returned. That includes residual
    blocks, stages of them, and norms with an activation.
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

    acts = [] if activated else [part for part in module.modules() if is_activation(part)]
    handles = [
        hook for act in acts for hook in (act.register_forward_pre_hook(into), act.register_forward_hook(out_of))
    ]
    return [*handles, module.register_forward_hook(done)]


def find(network: nn.Module, layer: str) -> nn.Module:
    """A layer of a network by its name, or by another of its names; UserError with the nearest names."""
    if layer:
        with suppress(AttributeError):
            return network.get_submodule(layer)
    if layer == OUTPUT:
        return network
    names = [OUTPUT, *(name for name, _ in network.named_modules() if name)]
    before, colon, _ = layer.partition(":")
    if colon and before in names:
        raise UserError(f"{layer!r} is a unit, not a layer: set units={layer} or layer={before}")
    span = " (a range of units is written 0-9)" if layer.isdecimal() else ""
    raise UserError(f"there is no layer {layer!r} in this network: {nearest(layer, names)}{span}")


def _not_run(layer: str, module: nn.Module) -> str:
    inside = [f"{layer}.{name}" for name, _ in module.named_children()]
    kind = type(module).__name__
    if inside:
        more = ", …" if len(inside) > 3 else ""
        return f"the network runs only the parts of the layer {layer!r} ({kind}): choose {', '.join(inside[:3])}{more}"
    return f"the network's forward pass does not run the layer {layer!r} ({kind}): choose another"


def lazy(network: nn.Module) -> bool:
    """Whether it has lazy modules that have not run yet, and so no weights."""
    return any(map(is_lazy, [*network.parameters(), *network.buffers()]))


def leave_inference_mode(network: nn.Module) -> None:
    """Replace tensors that were made under `torch.inference_mode`, which no gradient can go past, by copies."""
    copies: dict[int, Tensor] = {}
    for module in network.modules():
        tensors: Any
        for tensors in (module._parameters, module._buffers):
            for name, value in tensors.items():
                if value is not None and not is_lazy(value) and value.is_inference():
                    with torch.inference_mode(False):
                        copy = copies.setdefault(id(value), value.detach().clone())
                        tensors[name] = copy if tensors is module._buffers else nn.Parameter(copy, value.requires_grad)


def _token(layer: str, x: Tensor) -> Tensor:
    """(N, T, D) to (N, D) where the layer's name ends in @cls, @mean or @NUMBER; other activations as they are."""
    place = layer.partition("@")[2]
    if not place:
        return x
    if x.ndim != 3:
        raise UserError(f"{layer!r} selects a token, but this layer returns {tuple(x.shape)}: leave out @{place}")
    if place == "mean":
        return x.mean(1)
    number = 0 if place == "cls" else int(place) if place.isdecimal() else x.shape[1]
    if number >= x.shape[1]:
        raise UserError(f"{layer!r} is not a token: set @cls, @0 to @{x.shape[1] - 1} or @mean")
    return x[:, number]


def is_activation(module: nn.Module) -> bool:
    """Whether a module is a nonlinearity."""
    return isinstance(module, ACTIVATIONS) or type(module).__name__ in BY_NAME
