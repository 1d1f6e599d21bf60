"""Initial codes: one a row, a function of the row's own seed alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dgn.base import images
from dgn.base.errors import UserError
from dgn.base.typed import validated
from dgn.generators.bundle import Bundle
from dgn.generators.inverted import same_encoder
from dgn.networks import zoo
from dgn.networks.settings import NetworkSettings


def draw(seed: int, shape: Sequence[int]) -> Tensor:
    """N(0, 1) of `shape` from the row's seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Noise:
    """N(0, noise²), as in the paper; `noise` is set by the ascent."""

    def describe(self) -> str:
        """What the search starts from, for the page."""
        return "noise"

    def __call__(self, bundle: Bundle, seeds: Sequence[int], noise: float) -> Tensor:
        return torch.stack([noise * draw(seed, bundle.generator.code_shape) for seed in seeds])


class MeanCode(Noise):
    """The mean code of real images, with the ascent's noise."""

    def describe(self) -> str:
        """What the search starts from, for the page."""
        return "the mean code, with noise"

    def __call__(self, bundle: Bundle, seeds: Sequence[int], noise: float) -> Tensor:
        return bundle.moments.mean + super().__call__(bundle, seeds, noise)


class RealCode:
    """One of the real codes that the bundle carries, picked by the seed."""

    def describe(self) -> str:
        """What the search starts from, for the page."""
        return "the code of a real image"

    def __call__(self, bundle: Bundle, seeds: Sequence[int], noise: float) -> Tensor:
        if not len(bundle.codes):
            raise UserError("this bundle carries no real codes: set start=noise or start=mean")
        return torch.stack([bundle.codes[seed % len(bundle.codes)] for seed in seeds])


class ImageCode(Noise):
    """The code of a given image, with the ascent's noise where `noisy`; one object is for one bundle.

    Without noise every seed begins at the same code; its transforms still differ, and with them its picture.

    `encoder` has the settings of the network that the bundle's generator inverts; its weights and its layer are checked
    against the bundle's record, because a bundle does not name code to run. UserError where they are not those, or
    where a generator without a record takes other codes.
    """

    def __init__(self, path: str, encoder: Mapping[str, Any], noisy: bool) -> None:
        self.path, self.noisy = Path(str(path)).expanduser(), noisy
        self.encoder = validated(NetworkSettings, encoder, "start.encoder.")
        self._code: Tensor | None = None

    def describe(self) -> str:
        """What the search starts from, for the page: the file's name without its folder."""
        return f"the code of the image {self.path.name}{', with noise' if self.noisy else ''}"

    def __call__(self, bundle: Bundle, seeds: Sequence[int], noise: float) -> Tensor:
        if self._code is None:  # the encoder is loaded once, not for every batch
            self._code = self._encode(bundle)
        extra = super().__call__(bundle, seeds, noise) if self.noisy else 0
        return self._code.expand(len(seeds), *self._code.shape[1:]) + extra

    @torch.no_grad()
    def _encode(self, bundle: Bundle) -> Tensor:
        """The image's code, (1, *code_shape)."""
        same_encoder(bundle, self.encoder, "start.encoder")
        encoder = zoo.features(self.encoder, str(self.encoder.layer), activated=True, role="start.encoder")
        code = encoder(images.read(self.path, encoder.contract.size))
        shape = tuple(bundle.generator.code_shape)
        if tuple(code.shape[1:]) != shape:
            raise UserError(f"this generator takes codes of {shape}, and the image's is of {tuple(code.shape[1:])}: "
                            "set start=noise or start=mean")  # fmt: skip
        return code
