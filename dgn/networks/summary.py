"""A network's readable layers with measured shapes, parameters and FLOPs."""

from dataclasses import dataclass, replace
from html import escape
from typing import Any

from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from dgn.networks.features import OUTPUT
from dgn.networks.outputs import channels_first, tensor_of
from dgn.networks.preprocessing import Preprocessing
from dgn.networks.preserve_state import preserve_state
from dgn.networks.validate import noise, tried


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        name: as `target.layer` and a unit's prefix take it.
        kind: its class.
        shape: of its activation for one image: (D,), a map (C, H, W) or tokens (T, D).
        parameters: in it.
        flops: of one image up to its end, a multiplication and an addition counting as two.
        runs: how often the forward pass runs it; the first run is what is read.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    flops: int
    runs: int = 1


class Layers(list[Layer]):
    """Layers in the order in which they finish; displayed as a table."""

    def __repr__(self) -> str:
        return table(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(table(self))}</pre>"


def layers(network: nn.Module, contract: Preprocessing) -> Layers:
    """The readable layers in the order in which they finish, from one pass; the network is left unchanged.

    A layer is readable if the forward pass runs it and it returns one vector, map or sequence of tokens per image.
    """
    by_name: dict[str, Layer] = {}
    counter = FlopCounterMode(display=False)
    images = noise(contract)

    def ended(name: str, module: nn.Module, out: Any) -> None:
        if name in by_name:
            by_name[name] = replace(by_name[name], runs=by_name[name].runs + 1)
            return
        value = tensor_of(out, len(images))
        if value is None or value.ndim not in {2, 3, 4} or len(value) != len(images):
            return
        count = sum(parameter.numel() for parameter in module.parameters())
        shape = tuple(channels_first(value).shape[1:])
        by_name[name] = Layer(name, type(module).__name__, shape, count, counter.get_total_flops() // len(images))

    with preserve_state(network):
        network.eval()
        named = [(name or OUTPUT, module) for name, module in network.named_modules()]
        handles = [
            module.register_forward_hook(lambda module, _, out, name=name: ended(name, module, out))
            for name, module in named
        ]
        try:
            # fused attention is not counted, and without gradients attention is always fused
            with sdpa_kernel(SDPBackend.MATH), counter:
                tried(network, lambda: network(contract.normalise(images.requires_grad_())), contract)
        finally:
            for handle in handles:
                handle.remove()
    return Layers(by_name.values())


def table(layers: list[Layer]) -> str:
    """Layers as lines of text, a header first."""
    rows = [("layer", "kind", "shape", "parameters", "MFLOPs from the input", "")]
    for layer in layers:
        shape = "x".join(map(str, layer.shape))
        rows.append((layer.name, layer.kind, shape, f"{layer.parameters:,}", f"{layer.flops / 1e6:,.1f}",
                     f"first of {layer.runs} runs" if layer.runs > 1 else ""))  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(6)]
    aligns = "<<<>><"
    return "\n".join(
        "  ".join(f"{cell:{align}{width}}" for cell, align, width in zip(row, aligns, widths, strict=True)).rstrip()
        for row in rows
    )
