"""The header of a bundle: JSON, checked for types and ranges before anything is built from it."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError, create_model

from dgn.base.errors import UserError

SCHEMA = 1


class Record(BaseModel):
    """Where G and its codes come from. Every key may be missing, and keys that are not known here are kept.

    Attributes:
        encoder, layer, encoder_size: the network that G inverts, by its name; its layer; its input's side, pixels.
        encoder_sha256, comparator_sha256: what tells their weights from others; None in old bundles, if it was unknown.
        data, holds: the name of the training set; which of two Gs the file holds, "raw" or "ema".
        init: SHA-256 of the bundle that training began with.
        images_seen: in training.
        errors: inversion errors on held-out images, by name.
    """

    model_config = ConfigDict(strict=True, extra="allow")
    encoder: str | None = None
    layer: str | None = None
    encoder_size: PositiveInt | None = None
    encoder_sha256: str | None = None
    comparator_sha256: str | None = None
    data: str | None = None
    holds: str | None = None
    init: str | None = None
    images_seen: NonNegativeInt = 0
    errors: dict[str, float] = {}


class GeneratorHeader(BaseModel):
    """Which G the file holds: its kind, and the arguments of that class, see `arguments`."""

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
            raise UserError(f"{path} is not a bundle of this version of dgn: make one with train.py") from None
        raise UserError(f"{path} is not a valid bundle ({_sentence(error)}): set another bundle=FILE") from None


def arguments(builder: Callable[..., Any], args: Mapping[str, Any], filled: tuple[str, ...] = ()) -> dict[str, Any]:
    """Keyword arguments, checked against the annotations of the function or class that takes them.

    `filled` names parameters that are filled in later. Raises ValueError, one sentence, for an argument that is
    missing, unknown, or not of the annotated type and range.
    """
    function = builder.__init__ if isinstance(builder, type) else builder  # type: ignore[misc]
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    extra: Literal["forbid", "allow"] = "forbid"
    for name, parameter in inspect.signature(builder).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            extra = "allow"
        elif name not in filled:
            default = ... if parameter.default is inspect.Parameter.empty else parameter.default
            fields[name] = (hints.get(name, Any), default)
    config = ConfigDict(strict=True, extra=extra, arbitrary_types_allowed=True, protected_namespaces=())
    try:
        return dict(create_model("Arguments", __config__=config, **fields).model_validate(dict(args)))
    except ValidationError as error:
        raise ValueError(_sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    """The first problem that pydantic found: where, and what it expects."""
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, problem["loc"]))
    return f"{where}: {problem['msg'].splitlines()[0]}" if where else problem["msg"].splitlines()[0]
