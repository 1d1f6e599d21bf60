"""Initial codes of a unit's class, from labelled images: the controls of the race, with ascent=stay."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from dgn import data
from dgn.base.errors import UserError
from dgn.base.typed import Count, validated
from dgn.data.settings import UNCHANGED, DataSettings
from dgn.evaluation.candidates import inverted_by
from dgn.generators.bundle import Bundle
from dgn.networks import class_names, zoo
from dgn.networks.settings import NetworkSettings
from dgn.synthesis.initial_code import Noise
from dgn.units.names import ClassNames
from dgn.units.target import Target
from dgn.units.terms import Unit


class ClassCodes:
    """Codes of training images of each unit's class, plus the ascent's noise.

    A seed's code is that of the seed-th image, or of the seed-th best, the one whose decoded picture has the highest
    score of the unit; the mean is the same for every seed.

    Args:
        choose: "any", "best" or "mean".
        most: images of a class that are looked at, spread evenly.
        data: settings of the data set: `data.root` has a folder for each class, of its name or its ImageNet number.
        encoder: settings of the network that the bundle's generator inverts; unused where the generator gives the code
            of a picture itself, as pixels do.

    Attributes:
        known: further networks that G may invert, the run's target.
    """

    def __init__(
        self,
        choose: Literal["any", "best", "mean"],
        most: Count,
        data: Mapping[str, Any],
        encoder: Mapping[str, Any],
    ) -> None:
        self.choose, self.most = choose, most
        self.data = validated(DataSettings, data, "data.")
        self.encoder = validated(NetworkSettings, encoder, "start.encoder.")
        self.known: Sequence[NetworkSettings] = ()
        self._target: Target | None = None
        self._units: Sequence[Unit] = ()
        self._images: Any = None
        self._codes: dict[str, Tensor] = {}

    def describe(self) -> str:
        """What the search starts from, for the page."""
        return {
            "any": "the code of a real image of the class",
            "best": "that code of a real image of the class whose picture has the highest score",
            "mean": "the mean code of real images of the class",
        }[self.choose]

    def for_units(self, target: Target, units: Sequence[Unit]) -> "ClassCodes":
        """The same for rows of these units of a target; images and codes are kept from one batch to the next."""
        self._target, self._units = target, units
        return self

    def __call__(self, bundle: Bundle, seeds: Sequence[int], noise: float) -> Tensor:
        if self._target is None:  # a trial before the target is known
            if not self.data.root:
                raise UserError("this start needs labelled images: set data.root=DIR")
            apart = 0.0 if self.choose == "mean" else 1.0  # seeds take other images, or one and the same mean
            return torch.stack([bundle.moments.mean + apart * seed for seed in seeds])
        chosen = [self._chosen(bundle, unit, seed) for unit, seed in zip(self._units, seeds, strict=True)]
        return torch.stack(chosen) + Noise()(bundle, seeds, noise)

    def _chosen(self, bundle: Bundle, unit: Unit, seed: int) -> Tensor:
        if unit.text not in self._codes:
            codes = self._of_class(bundle, unit)
            if self.choose == "mean":
                codes = codes.mean(0, keepdim=True)
            elif self.choose == "best":
                codes = codes[self._scores(bundle, codes, unit).argsort(descending=True)]
            self._codes[unit.text] = codes
        return self._codes[unit.text][seed % len(self._codes[unit.text])]

    @torch.no_grad()
    def _of_class(self, bundle: Bundle, unit: Unit) -> Tensor:
        """The codes of the class's images, (n, *code_shape)."""
        name = self._target.wanted(unit) if self._target else None
        if name is None:
            raise UserError(
                f"this start needs units that are one class each, which {unit.text} is not: set other units"
            )
        if code_of := getattr(bundle.generator, "code_of", None):
            return code_of(self._pictures(bundle, unit, name))
        self.encoder = inverted_by(bundle, self.encoder, self.known, "start.encoder")
        pictures = self._pictures(bundle, unit, name)
        encoder = zoo.features(self.encoder, str(self.encoder.layer), activated=True, role="start.encoder")
        return encoder(pictures)

    def _pictures(self, bundle: Bundle, unit: Unit, name: str) -> Tensor:
        """Images of the class, (n, 3, side, side), of the size that their code is made of."""
        if self._images is None:
            by_itself = hasattr(bundle.generator, "code_of")
            side = bundle.generator.size if by_itself else self.encoder.input.size
            self._images = data.build(self.data.resized(side), UNCHANGED, seed=0)
        source = self._images.train.source
        label = ClassNames(class_names.readable(list(source.classes))).find(name)
        places = torch.from_numpy(source.labels == (-1 if label is None else label)).nonzero().flatten()
        if not len(places):
            raise UserError(
                f"{self.data.root} has no images of the class {name}: set other units, or another data.root"
            )
        spread = places[torch.linspace(0, len(places) - 1, min(self.most, len(places))).long()]
        return torch.cat([images for images, *_ in self._images.in_order(spread.numpy())])

    @torch.no_grad()
    def _scores(self, bundle: Bundle, codes: Tensor, unit: Unit) -> Tensor:
        """The unit's score of each code's picture, (n,)."""
        target = self._target
        assert target is not None  # `for_units` has been called
        parts = [target.score([unit] * len(part))(target.features(bundle.generator(part))) for part in codes.split(16)]
        return torch.cat(parts)
