"""Settings of a generator in synthesis: conf/generator/custom.yaml and bundle.yaml."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from dgn.base.typed import Count, NotNegative, Number, Settings
from dgn.networks.settings import ModuleSettings


class MomentsSettings(Settings):
    """Given moments of a code, one number for all elements."""

    shape: list[Count] | None
    mean: Number
    std: NotNegative
    signed: bool


class DecoderSettings(ModuleSettings):
    """Any decoder as the generator: its class, weights, the range of its images, and what its codes are like."""

    range: Annotated[list[Number], Field(min_length=2, max_length=2)]
    codes: str | None
    moments: MomentsSettings

    @classmethod
    def of_live(cls, path: str) -> "DecoderSettings":
        """The settings of a generator from Python: its class is all that a run can record."""
        moments = MomentsSettings(shape=None, mean=0, std=1, signed=True)
        rest: dict[str, Any] = {"strict": True, "by_order": False, "prefix": None, "range": [0.0, 1.0], "codes": None}
        return cls.model_construct({"builder"}, builder=path, args={}, weights=None, moments=moments, **rest)


class BundleSettings(Settings):
    """The generator is the one in the file that `bundle` names."""

    kind: str | None


def _which(node: Any) -> str:
    """Which of the two classes a generator's settings are: a decoder's name a class."""
    decoder = isinstance(node, DecoderSettings) or (isinstance(node, Mapping) and "_target_" in node)
    return "decoder" if decoder else "bundle"


GeneratorSettings = Annotated[
    Annotated[DecoderSettings, Tag("decoder")] | Annotated[BundleSettings, Tag("bundle")], Discriminator(_which)
]
