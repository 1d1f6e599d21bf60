"""Settings of a generator in synthesis: conf/generator/custom.yaml and bundle.yaml."""

from typing import Annotated, Any

from pydantic import Field

from dgn.base.typed import Count, NotNegative, Settings


class MomentsSettings(Settings):
    """Given moments of a code, one number for all elements."""

    shape: list[Count] | None
    mean: float
    std: NotNegative
    signed: bool


class DecoderSettings(Settings):
    """Any decoder as the generator: its class, weights, the range of its images, and what its codes are like."""

    target: str = Field(alias="_target_")
    args: dict[str, Any]
    weights: str | None
    strict: bool
    by_order: bool
    prefix: str | None
    range: Annotated[list[float], Field(min_length=2, max_length=2)]
    codes: str | None
    moments: MomentsSettings


class BundleSettings(Settings):
    """The generator is the one in the file that `bundle` names."""

    kind: str | None
