"""Settings of conf/train.yaml and its tasks."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from dgn.base.typed import Count, NotNegative, Positive, Settings, Share, Size, validated
from dgn.data.settings import AugmentSettings, DataSettings
from dgn.generators.settings import BundleSettings
from dgn.networks.settings import NetworkSettings
from dgn.settings.command import CommandSettings


class TrainSettings(CommandSettings):
    """What every task of `dgn train` takes."""

    data: DataSettings
    augment: AugmentSettings
    # debug=true sets these for every task; the tasks that read them narrow the types below
    iterations: Count | Literal["auto"] | None = None
    log_every: Count | None = None
    eval_every: Count | None = None
    moments: Any = None
    kept_codes: Count | None = None


class LoopSettings(TrainSettings):
    """A task that trains: how long, and how often it logs, evaluates and saves."""

    iterations: Count | Literal["auto"]
    log_every: Count
    eval_every: Count
    save_minutes: NotNegative
    module: dict[str, Any]


class MomentsSettings(Settings):
    """Number of images for the code's moments; whether a map code has moments per position or per channel."""

    images: Count
    per_element: bool


class DiscriminatorSettings(Settings):
    """D: its layers and the range of its input, see `dgn.training.discriminator.Discriminator`."""

    size: Size
    convs: list[Annotated[list[int], Field(min_length=4, max_length=4)]]
    pool: bool
    image: list[Count]
    code: list[Count]
    head: list[Count]
    dropout: Share
    slope: NotNegative
    spectral: bool
    caffe: bool


class TermSettings(Settings):
    """The weights of one term of the loss; a negative one would train G away from the images."""

    weight: NotNegative
    layers: dict[str, NotNegative | None] = Field(default_factory=dict)


class CodeTermSettings(Settings):
    """The weight of the code term, which may be left to `dgn.training.recipe`."""

    weight: NotNegative | Literal["auto"]


class GeneratorSettings(LoopSettings):
    """task=generator: G, D, the losses, E and C (DeePSiM, sections 3 and 4).

    `generator` has the arguments of the class that its `kind` names. Every term of `loss` has a `_target_`.
    """

    task: Literal["generator"]
    encoder: NetworkSettings
    comparator: NetworkSettings
    observer: NetworkSettings
    loss: dict[str, Any]
    generator: dict[str, Any]
    discriminator: DiscriminatorSettings
    eval_layers: list[str]
    moments: MomentsSettings
    kept_codes: Count
    code_cache: str | None
    init: str | None
    pixels_first: Annotated[int, Field(ge=0)] | Literal["auto"]
    stop_at: Positive | None

    @field_validator("loss")
    @classmethod
    def weights_pull(cls, value: dict[str, Any]) -> dict[str, Any]:
        """UserError for a negative weight."""
        for name, term in value.items():
            if isinstance(term, Mapping) and "weight" in term:
                model = CodeTermSettings if name == "code" else TermSettings
                validated(model, {key: term[key] for key in model.model_fields & term.keys()}, f"loss.{name}.")
        return value


class ClassifierSettings(LoopSettings):
    """task=classifier: a small network for a folder of images a class."""

    task: Literal["classifier"]
    iterations: Count
    classifier: NetworkSettings
    snapshot_every: Count | None


class FooledSettings(TrainSettings):
    """task=fooled: a network that was made to fool feature visualisation, see `dgn.networks.fooled`."""

    task: Literal["fooled"]
    classifier: NetworkSettings
    candidates: Count


class InversionSettings(TrainSettings):
    """task=inversion: how well a bundle's G inverts its layer."""

    task: Literal["inversion"]
    bundle: str
    generator: BundleSettings
    encoder: NetworkSettings
    observer: NetworkSettings
    judge: NetworkSettings | None = None  # the key is there only where a judge is chosen
    eval_layers: list[str]


TASKS: dict[str, type[TrainSettings]] = {
    "generator": GeneratorSettings,
    "classifier": ClassifierSettings,
    "fooled": FooledSettings,
    "inversion": InversionSettings,
}
