"""Settings of conf/synthesize.yaml."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from dgn.base.typed import Count, NotNegative, Positive, Seed, Settings, Share
from dgn.data.settings import DataSettings
from dgn.generators.settings import GeneratorSettings
from dgn.networks.settings import NetworkSettings
from dgn.settings.command import CommandSettings


class AscentSettings(Settings):
    """The ascent: optimiser, steps and their size, start, transforms (paper, section 2; conf/ascent)."""

    optimiser: dict[str, Any]
    units: Literal["std", "absolute"]
    step: Positive  # a negative one would descend
    end: NotNegative
    steps: Count
    noise: NotNegative
    transforms: dict[str, Any]
    transform_strength: NotNegative
    full_view_fraction: Share
    render: Literal["last", "before_last_step", "best", "first"]


class SynthesizeSettings(CommandSettings):
    """Everything that `dgn synthesize` takes."""

    bundle: str
    bundle_filter: dict[str, str]
    units: list[int | str] | int | str
    units_file: str | None
    seeds: Count
    post_activation: bool
    batch_size: Count
    shard: str | None
    real_images: Annotated[int, Field(ge=0)]
    real_from: Literal["val", "train", "auto"]
    real_patches: bool
    title: str | None
    panels: dict[str, list[str]] | None
    base_overrides: list[str]
    target: NetworkSettings
    judge: NetworkSettings | None
    generator: GeneratorSettings
    prior: dict[str, Any]
    objective: dict[str, Any]
    ascent: AscentSettings
    start: dict[str, Any]
    stimulus: dict[str, dict[str, Any]]
    data: DataSettings


class SearchSettings(Settings):
    """Everything that `dgn search` takes."""

    score: dict[str, Any]
    bundle: str
    bundle_filter: dict[str, str]
    target: dict[str, Any]
    generator: GeneratorSettings
    prior: dict[str, Any]
    ascent: AscentSettings
    start: dict[str, Any]
    stimulus: dict[str, dict[str, Any]]
    units: Count
    seed: Seed
    output: str
    resume: bool

    @field_validator("score", mode="before")
    @classmethod
    def a_function(cls, value: Any) -> Any:
        """ValueError for a bare name: a function is a group's `_target_`."""
        if isinstance(value, str):
            raise ValueError(f"names a function in the wrong place: set score._target_={value}")
        return value
