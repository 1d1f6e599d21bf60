"""The header of a bundle: JSON, checked for types and ranges before anything is built from it."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

from dgn.base.errors import UserError

SCHEMA = 1


class Record(BaseModel):
    """Where G and its codes come from. Every key may be missing, and keys that are not known here are kept.

    Attributes:
        encoder, layer, encoder_size: the network that G inverts, by its name; its layer; its input's size, pixels.
        encoder_sha256, comparator_sha256: what tells their weights from others; None in old bundles, if it was unknown.
        data, holds: the name of the training set; which of two Gs the file holds, "raw" or "ema".
        init: SHA-256 of the bundle that training began with.
        images_seen: in training.
        errors: inversion errors on held-out images, by name.
    """

    model_config = ConfigDict(strict=True, extra="allow")
    encoder: str | None = None
    layer: str | None = None
    encoder_size: PositiveInt | list[PositiveInt] | None = None
    encoder_sha256: str | None = None
    comparator_sha256: str | None = None
    data: str | None = None
    holds: str | None = None
    init: str | None = None
    images_seen: NonNegativeInt = 0
    errors: dict[str, float] = {}


class GeneratorHeader(BaseModel):
    """Which G the file holds: its kind, and the arguments of that class, see `dgn.base.typed.arguments`."""

    model_config = ConfigDict(strict=True)
    kind: str
    args: dict[str, Any]


class Header(BaseModel):
    """The whole header. Keys that are not known here are left aside: a later version may write more."""

    model_config = ConfigDict(strict=True)
    version: Annotated[Literal[1], Field(alias="schema")]
    generator: GeneratorHeader
    record: Record


def parse(text: str | None, path: Path) -> Header:
    """The header of the bundle at `path`; UserError, one sentence, for a text that is none."""
    try:
        return Header.model_validate_json(text or "null")
    except ValidationError as error:
        if text is None or any(problem["loc"][:1] in {(), ("schema",)} for problem in error.errors()):
            raise UserError(f"{path} is not a bundle of this version of dgn: make one with dgn train") from None
        raise UserError(f"{path} is not a valid bundle ({_sentence(error)}): set another bundle=FILE") from None


def _sentence(error: ValidationError) -> str:
    """The first problem that pydantic found: where, and what it expects."""
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, problem["loc"]))
    return f"{where}: {problem['msg'].splitlines()[0]}" if where else problem["msg"].splitlines()[0]
