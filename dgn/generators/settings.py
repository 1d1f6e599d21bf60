"""Settings of a generator in synthesis: conf/generator/custom.yaml and bundle.yaml."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, field_validator

from dgn.base.typed import Count, Number, Positive, Settings
from dgn.networks.settings import ModuleSettings


class MomentsSettings(Settings):
    """Moments of a code that are set and not measured: one number for all elements."""

    shape: list[Count] | None
    mean: Number
    std: Positive
    signed: bool


class PriorSettings(Settings):
    """A decoder's output values for black and white, and the moments of its codes."""

    range: Annotated[list[Number], Field(min_length=2, max_length=2)]
    moments: MomentsSettings

    @field_validator("range")
    @classmethod
    def two_values(cls, value: list[float]) -> list[float]:
        """ValueError if black and white are the same value."""
        if value[0] == value[1]:
            raise ValueError(
                "is not a range: set the output values for black and white, as in 'generator.range=[-1,1]'"
            )
        return value


class DecoderSettings(PriorSettings, ModuleSettings):
    """Any decoder as the generator: its class, its weights, a file of real codes, see `PriorSettings`."""

    codes: str | None

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
