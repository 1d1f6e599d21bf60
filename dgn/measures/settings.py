"""Settings of conf/measure.yaml."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from dgn.base.errors import nearest
from dgn.base.typed import Count, Seed, Settings
from dgn.data.settings import DataSettings
from dgn.measures.registry import MEASURES
from dgn.networks.settings import NetworkSettings


def _ascending(value: list[float]) -> list[float]:
    """ValueError for an empty window."""
    if value[0] >= value[1]:
        raise ValueError("is empty: set the lower percentile first, such as [95,100]")
    return value


Percentile = Annotated[float, Field(ge=0, le=100)]
Window = Annotated[list[Percentile], Field(min_length=2, max_length=2), AfterValidator(_ascending)]


class LpipsSettings(Settings):
    """The backbone of LPIPS, and torchvision's weights of it."""

    backbone: Literal["alex", "vgg", "squeeze"]
    weights: str | None


class TrustedSettings(Settings):
    """How pictures are changed towards a wrong class: `dgn.measures.trusted`.

    Attributes:
        bound: the largest change, rms over pixels; 1 is the range from black to white.
        steps: of the climb.
        pictures: at most so many climb.
        seed: of the draw of the wrong classes.
    """

    bound: Annotated[float, Field(gt=0, le=1)]
    steps: Count
    pictures: Count
    seed: Seed


class TwoAlternativeSettings(Settings):
    """What is asked about every unit: `dgn.measures.two_alternative`.

    Attributes:
        references: how many drive the unit, and how many suppress it.
        trials: pairs of real images.
        above, below: the percentiles of real activations between which the two images of a pair are drawn.
        seed: of the draw.
    """

    references: Count
    trials: Count
    above: Window
    below: Window
    seed: Seed


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
    trusted: TrustedSettings
    two_alternative: TwoAlternativeSettings
    sheet: str | None
    answers: str | None
    output: str | None

    @field_validator("measures")
    @classmethod
    def known(cls, value: list[str]) -> list[str]:
        """ValueError for a name that is no measure."""
        for name in value:
            if name not in MEASURES:
                raise ValueError(f"has no measure {name!r}: {nearest(name, MEASURES)}")
        return value

    @field_validator("sheet", "answers")
    @classmethod
    def of_the_task(cls, value: str | None, info: ValidationInfo) -> str | None:
        """ValueError where the measure that makes or scores a sheet is not asked for."""
        if value is not None and "two_alternative" not in info.data.get("measures", ["two_alternative"]):
            raise ValueError("belongs to the two-alternative task: set measures=[two_alternative] as well")
        return value
