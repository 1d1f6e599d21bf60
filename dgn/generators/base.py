"""Generators: codes to images.

To train your own G, write one subclass of `Generator` and one YAML with its path as `kind` in your own folder
`generator/`. Any other network from codes to images can be used without training: see `dgn.generators.decoder`.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from dgn.base.typed import arguments


class Generator(nn.Module):
    """The interface of any G for synthesis, training and bundles.

    Attributes:
        code_shape: of one code, (D,) or (C, H, W).
        size: of the image that `forward` gives for (N, *code_shape), pixels: a square's side, or (height, width);
            values in [0, 1].
        args: the keyword arguments with which the class is built again; plain data.
        searched: what the code is, for the page.
    """

    searched = "the code of a generator"

    code_shape: tuple[int, ...]
    size: int | Sequence[int]
    args: dict[str, Any]

    @classmethod
    def for_codes(cls, codes: Tensor, **settings: Any) -> "Generator":
        """A new G for codes like these, (N, *code_shape), with the settings of its YAML.

        Raises UserError, one sentence, for settings that do not fit the annotations of the class.
        """
        return cls(**arguments(cls, {"code_shape": list(codes.shape[1:])} | settings, "generator."))

    def stem(self) -> list[Tensor]:
        """The weights under weight decay; none by default."""
        return []
