"""Initial codes: one per row, a function of the row's seed only."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dgn.base import images
from dgn.base.errors import UserError
from dgn.base.instantiate import instantiate
from dgn.base.typed import validated
from dgn.evaluation.candidates import inverted_by
from dgn.generators.bundle import Bundle
from dgn.networks import zoo
from dgn.networks.settings import NetworkSettings
from dgn.synthesis.settings import SynthesizeSettings


def draw(seed: int, shape: Sequence[int]) -> Tensor:
    """N(0, 1) of `shape` from the row's seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def of(config: SynthesizeSettings) -> Any:
    """The start that a run's settings name; it knows the run's target, which G may invert."""
    start = instantiate(config.start)
    if hasattr(start, "known") and zoo.identity(config.target):
        start.known = [config.target]
    return start


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
    """One of the bundle's real codes, chosen by the seed."""

    def describe(self) -> str:
        """What the search starts from, for the page."""
        return "the code of a real image"

    def __call__(self, bundle: Bundle, seeds: Sequence[int], noise: float) -> Tensor:
        if not len(bundle.codes):
            raise UserError("this bundle contains no real codes: set start=noise or start=mean")
        return torch.stack([bundle.codes[seed % len(bundle.codes)] for seed in seeds])


class ImageCode(Noise):
    """The code of an image file, plus the ascent's noise if `noisy`; use one object per bundle.

    Without noise all seeds start from the same code; their transforms still differ, and so do their pictures.

    `encoder` has the settings of the network that the bundle's generator inverts; its weights and layer are checked
    against the bundle's record, because a bundle never names code to run. If they differ, one of `known` or a member of
    conf/network takes its place where G inverts one. UserError if there is none, or if the generator has no record and
    takes codes of another shape.

    Attributes:
        known: further networks that G may invert, the run's target.
    """

    def __init__(self, path: str, encoder: Mapping[str, Any], noisy: bool) -> None:
        self.path, self.noisy = Path(str(path)).expanduser(), noisy
        self.known: Sequence[NetworkSettings] = ()
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
        network = inverted_by(bundle, self.encoder, self.known, "start.encoder")
        encoder = zoo.features(network, str(network.layer), activated=True, role="start.encoder")
        code = encoder(images.read(self.path, encoder.contract.size))
        shape = tuple(bundle.generator.code_shape)
        if tuple(code.shape[1:]) != shape:
            raise UserError(f"the image's code has shape {tuple(code.shape[1:])}, but this generator takes {shape}: "
                            "set start=noise or start=mean")  # fmt: skip
        return code
