"""What a generator's YAML says where it is no bundle: conf/generator/custom.yaml."""

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
        """The settings of a generator from Python, of which only its class is known."""
        return cls.model_construct({"builder"}, builder=path, args={}, weights=None)


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
