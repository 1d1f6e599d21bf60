"""What of a picture a position of a layer sees: all that can reach it, and what does move it."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dgn.base.images import sides
from dgn.networks.features import OUTPUT
from dgn.networks.outputs import channels_first, tensor_of
from dgn.networks.preprocessing import Preprocessing
from dgn.networks.preserve_state import preserve_state

Span = tuple[int, int]  # the first and the last of some rows or columns of pixels
IMAGES = 16  # of noise, over which the effective field is averaged
EDGE = 0.0455  # of the highest gradient: what lies outside two standard deviations of a bell


@dataclass(frozen=True)
class Field:
    """The receptive fields of a layer of maps.

    Attributes:
        layer: its name.
        rows, columns: of each row and column of the map, the pixels that can reach it.
        effective: side of a square as large as the part that moves the middle position, pixels.
    """

    layer: str
    rows: list[Span]
    columns: list[Span]
    effective: float

    @property
    def theoretical(self) -> int:
        """Side of what can reach the middle position, pixels; at most the picture's."""
        spans = self.rows[len(self.rows) // 2], self.columns[len(self.columns) // 2]
        return max(last - first + 1 for first, last in spans)


def fields(network: nn.Module, contract: Preprocessing, layers: Sequence[str]) -> list[Field]:
    """The fields of those of the layers that are maps, in order; the network is left as it was.

    Theoretical: a row of pixels that is not a number makes everything so that it can reach, through any module.
    Effective: the gradient's mean size over images of noise, where it is above `EDGE` of its peak (Luo et al. 2016).
    """
    with preserve_state(network):
        network.eval()
        rows, columns = (_reached(network, contract, layers, down) for down in (True, False))
        effective = _effective(network, contract, list(rows))
        return [Field(name, rows[name], columns[name], effective[name]) for name in rows]


def table(found: Sequence[Field], side: int) -> str:
    """Fields as lines of text, a header first; `side` is the picture's longer one, pixels."""
    rows = [("layer", "theoretical, px", "effective, px"),
            *((one.layer, f"{one.theoretical}{' (all)' if one.theoretical >= side else ''}", f"{one.effective:.0f}")
              for one in found)]  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join(f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows)


@torch.no_grad()
def _reached(network: nn.Module, contract: Preprocessing, layers: Sequence[str], down: bool) -> dict[str, list[Span]]:
    """Of each layer of maps, by its rows (or columns, unless `down`), the pixels' rows (or columns) that reach it."""
    height, width = sides(contract.size)
    x = torch.full((height if down else width, contract.channels, height, width), 0.5)
    for i in range(len(x)):
        (x[i, :, i] if down else x[i, ..., i]).fill_(torch.nan)
    met: dict[str, Tensor] = {}

    def keep(name: str, value: Tensor) -> None:
        lost = value.isnan().any(1)  # (pixels' rows, H, W)
        met[name] = lost[:, :, lost.shape[2] // 2] if down else lost[:, lost.shape[1] // 2]

    with _read(network, layers, keep), _plain_convolutions():
        network(contract.normalise(x))
    spans: dict[str, list[Span]] = {}
    for name, lost in met.items():
        hits = [reach.nonzero().flatten().tolist() for reach in lost.T]
        if all(hits):
            spans[name] = [(one[0], one[-1]) for one in hits]
    return spans


@contextmanager
def _plain_convolutions() -> Iterator[None]:
    """A block without libraries' fast convolutions, which mix neighbouring windows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of TF32 on other devices whenever a flag is set
        with torch.backends.mkldnn.flags(enabled=False), torch.backends.nnpack.flags(enabled=False):
            yield


def _effective(network: nn.Module, contract: Preprocessing, layers: Sequence[str]) -> dict[str, float]:
    """Of each layer of maps the side of a square as large as the part of the picture that moves its middle position."""
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(IMAGES, contract.channels, *sides(contract.size), generator=draw).requires_grad_()
    middle: dict[str, Tensor] = {}

    def keep(name: str, value: Tensor) -> None:
        at = value[:, :, value.shape[2] // 2, value.shape[3] // 2]
        middle[name] = (at * torch.randn(at.shape, generator=draw)).sum()  # so that no channel cancels another one

    found = {}
    with torch.enable_grad(), _read(network, layers, keep):
        network(contract.normalise(x))
        for name, value in middle.items():
            (gradient,) = torch.autograd.grad(value, x, retain_graph=True)
            size = gradient.abs().sum(1).mean(0)
            found[name] = float((size > EDGE * size.max()).sum()) ** 0.5
    return found


@contextmanager
def _read(network: nn.Module, layers: Sequence[str], keep: Callable[[str, Tensor], Any]) -> Iterator[None]:
    """A block in which `keep` gets the first map (N, C, H, W) that each of the layers gives."""
    seen: set[str] = set()

    def given(name: str, out: Any, count: int) -> None:
        value = tensor_of(out, count)
        if name not in seen and value is not None and value.ndim == 4:
            seen.add(name)
            keep(name, channels_first(value))

    modules = {name or OUTPUT: module for name, module in network.named_modules()}
    handles = [
        modules[name].register_forward_hook(lambda _, args, out, name=name: given(name, out, len(args[0])))
        for name in layers
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
