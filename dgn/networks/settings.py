"""Settings of a network: conf/network_base.yaml has every key with its meaning and default."""

from typing import Annotated, Any, Literal

from pydantic import Field

from dgn.base.typed import Count, Positive, Settings


class InputSettings(Settings):
    """What a network takes: images (N, channels, size, size), (x · scale − mean) / std of pictures in [0, 1]."""

    size: Count
    mean: list[float] | float
    std: list[Positive] | Positive
    scale: float
    channels: Count
    order: Literal["rgb", "bgr"]
    interpolation: Literal["bilinear", "bicubic", "nearest"]
    fit: Literal["resize", "crop"]


class NetworkSettings(Settings):
    """Class, weights, layer and preprocessing of one network, in any role."""

    name: str
    target: str = Field(alias="_target_")
    args: dict[str, Any]
    weights: str | None
    strict: bool
    by_order: bool
    prefix: str | None
    layer: str | None
    classes: str | list[str | int] | dict[Any, Any] | None
    eval_layers: list[str]
    default_bundle: str
    max_mahalanobis: Annotated[float, Field(gt=0)] | None
    steps: Count
    input: InputSettings
