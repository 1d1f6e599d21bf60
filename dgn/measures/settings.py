"""Settings of conf/measure.yaml."""

from typing import Any, Literal

from pydantic import field_validator

from dgn.base.errors import nearest
from dgn.base.typed import Count, Settings
from dgn.data.settings import DataSettings
from dgn.measures.registry import MEASURES
from dgn.networks.settings import NetworkSettings


class LpipsSettings(Settings):
    """The backbone of LPIPS, and torchvision's weights of it."""

    backbone: Literal["alex", "vgg", "squeeze"]
    weights: str | None


class MeasureSettings(Settings):
    """Everything that `dgn measure` takes besides the runs."""

    measures: list[str]
    judge: NetworkSettings | None
    judges: dict[str, NetworkSettings]
    per_class: Count
    real_from: Literal["val", "train"]
    among: Count | None
    data: DataSettings
    trainer: dict[str, Any]
    lpips: LpipsSettings
    output: str | None

    @field_validator("measures")
    @classmethod
    def known(cls, value: list[str]) -> list[str]:
        """ValueError for a name that is no measure."""
        for name in value:
            if name not in MEASURES:
                raise ValueError(f"has no measure {name!r}: {nearest(name, MEASURES)}")
        return value
