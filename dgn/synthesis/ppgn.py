"""PPGN's prior (Nguyen et al. 2017, Plug & Play Generative Networks): codes that encode the picture they make."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from dgn.base.errors import UserError
from dgn.base.typed import NotNegative, validated
from dgn.generators.bundle import Bundle
from dgn.generators.inverted import same_encoder
from dgn.generators.moments import Moments
from dgn.networks import zoo
from dgn.networks.settings import NetworkSettings
from dgn.synthesis.priors import Multiple, Prior, Step

STREAM = 2  # the second word of the generator's seed; transforms take another


class Ppgn(Prior):
    """d = ε₁ · (E(G(h)) − h) + ε₂ · ∂s/∂h + N(0, ε₃²), after the step h ← clip(h, 0, most) (released sampler.py).

    With s = log p(unit) and the step h ← h + α · d / mean|d| it is the released sampler of Noiseless Joint PPGN-h. E
    sees the whole picture, whatever the transforms. E(G(h)) − h stands for the gradient of log p(h): G and E as a
    denoising autoencoder of codes.

    Args:
        moments: of the code on real images.
        pull, push, noise: ε₁, ε₂, ε₃.
        most: the largest code; the least is 0.
        units: "std" takes the code in units of its standard deviation, in which d and `most` are as large for any
            encoder; "absolute" takes it as it is.
        encoder: settings of E, the network that the bundle's generator inverts: a bundle never names code to run.
    """

    def __init__(
        self,
        moments: Moments,
        *,
        pull: NotNegative,
        push: NotNegative,
        noise: NotNegative,
        most: Multiple,
        units: Literal["std", "absolute"],
        encoder: Mapping[str, Any],
    ) -> None:
        super().__init__(moments)
        self.pull, self.push, self.noise = pull, push, noise
        self.scale = moments.scale if units == "std" else 1.0
        self.most, self.settings = most * self.scale, validated(NetworkSettings, encoder, "prior.encoder.")
        self.encoder = zoo.features(self.settings, str(self.settings.layer), activated=True, role="prior.encoder")

    @staticmethod
    def describe(  # type: ignore[override]
        moments: Moments, what: str = "code", *, pull: float, most: float, **_: Any
    ) -> str:
        """Where the prior keeps the code, for the page."""
        return (f"the {what} was kept between 0 and {most:g}, and was pulled with the weight {pull:g} towards the "
                f"{what} of the picture that it makes")  # fmt: skip

    def fits(self, bundle: Bundle) -> None:
        """UserError where the generator does not invert this encoder."""
        same_encoder(bundle, self.settings, "prior.encoder")
        shape = tuple(
            self.encoder(bundle.generator(bundle.moments.mean.expand(1, *bundle.generator.code_shape))).shape[1:]
        )
        if shape != tuple(bundle.generator.code_shape):
            raise UserError(f"the encoder gives codes of shape {shape}, but the generator takes "
                            f"{tuple(bundle.generator.code_shape)}: set another prior.encoder.layer")  # fmt: skip

    def uphill(self, gradient: Tensor, step: Step) -> Tensor:
        """d, in units of the code: a direction of z = h / scale, times the scale."""
        with torch.no_grad():
            towards = (self.encoder(step.pictures) - step.code) / self.scale
        noise = np.stack([self._noise(seed, step) for seed in step.seeds])
        direction = self.pull * towards + self.push * self.scale * gradient
        return self.scale * (direction + self.noise * torch.from_numpy(noise).to(direction))

    def apply_to(self, code: Tensor) -> Tensor:
        return code.clamp(0, self.most)

    def at_bound(self, code: Tensor) -> Tensor:
        """Per row, the share of elements within 1 % of `most`; 0 is where real codes are, too."""
        return (code >= 0.99 * self.most).flatten(1).double().mean(1).to(code)

    @staticmethod
    def _noise(seed: int, step: Step) -> np.ndarray:
        """N(0, 1) of a row, a function of its seed and the step."""
        return np.random.default_rng((seed, STREAM, step.number)).standard_normal(step.code.shape[1:])
