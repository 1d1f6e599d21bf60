"""Settings of a network: conf/network_base.yaml has every key with its meaning and default."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from dgn.base.typed import Count, Number, Positive, Settings, Size


class InputSettings(Settings):
    """What a network takes: images (N, channels, height, width), (x · scale − mean) / std of pictures in [0, 1].

    `mean` and `std` are one number for all channels, or one for each.
    """

    size: Size
    channels: Count  # before mean and std, whose lengths are compared with it
    mean: Annotated[list[Number], Field(min_length=1)] | Number
    std: Annotated[list[Positive], Field(min_length=1)] | Positive
    scale: Positive
    order: Literal["rgb", "bgr"]
    interpolation: Literal["bilinear", "bicubic", "nearest"]
    fit: Literal["resize", "crop", "none"]

    @field_validator("mean", "std")
    @classmethod
    def one_for_each_channel(cls, value: list[float] | float, info: ValidationInfo) -> list[float] | float:
        """ValueError for more values than channels, or fewer."""
        channels = info.data.get("channels")  # missing where it is wrong itself
        if isinstance(value, list) and channels is not None and len(value) not in {1, channels}:
            raise ValueError(f"has {len(value)} values for {channels} channels: set one value, or one for each channel")
        return value


class ModuleSettings(Settings):
    """Any `nn.Module`: the importable class or function that gives it, its arguments and its weights file."""

    builder: str = Field(alias="_target_")
    args: dict[str, Any]
    weights: str | None
    strict: bool
    by_order: bool
    prefix: str | None


class NetworkSettings(ModuleSettings):
    """Class, weights, layer and preprocessing of one network, in whatever role."""

    name: str
    layer: str | None
    classes: str | list[str | int] | None
    members: dict[str, "NetworkSettings"]
    eval_layers: list[str]
    default_bundle: str
    max_mahalanobis: Positive | None
    steps: Count
    input: InputSettings
