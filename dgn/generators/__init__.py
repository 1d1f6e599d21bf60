"""Generators: codes in, images out. A new one is one class here, one YAML, and a line in `generators.bundle.KINDS`."""

from typing import Any

from torch import Tensor, nn


class Generator(nn.Module):
    """What synthesis and bundles need to know of any G.

    Attributes:
        code_shape: of one code, (D,) or (C, H, W).
        size: side of the image that `forward` gives for (N, *code_shape), pixels; values in [0, 1].
        args: what the class is built with again; plain data.
    """

    code_shape: tuple[int, ...]
    size: int
    args: dict[str, Any]

    def stem(self) -> list[Tensor]:
        """Weights on which the optimiser's weight decay acts; none unless the class says so."""
        return []
