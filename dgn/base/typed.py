"""Typed settings: a mistake becomes one sentence that names the key."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from dgn.base.errors import UserError, nearest

STRICT = ConfigDict(strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True)
NUMBERS = ConfigDict(strict=True, arbitrary_types_allowed=True)
LARGEST_SEED = 2**32 - 1  # the limit of numpy's generators, which training seeds too

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]

KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a group of keys",
    "mapping_type": "a group of keys",
    "model_type": "a group of keys",
    "string_type": "text",
    "none_required": "null",
}
BOUNDS = {
    "greater_than_equal": ("ge", "{} or more"),
    "greater_than": ("gt", "more than {}"),
    "less_than_equal": ("le", "{} or less"),
    "less_than": ("lt", "less than {}"),
}


class Settings(BaseModel):
    """Base of all settings classes: they declare types, ranges and choices, checked without conversion.

    Defaults are in the YAML files only.
    """

    model_config = STRICT


Model = TypeVar("Model", bound=Settings)


def validated(model: type[Model], values: Mapping[str, Any], path: str = "") -> Model:
    """The settings as an instance of their class; UserError, one sentence, for the first wrong value.

    Args:
        path: prefix of `values` in the config, with a final dot: "ascent.".
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise UserError(sentence(error, values, path, model)) from None


def check_arguments(function: Callable[..., Any], values: Mapping[str, Any], path: str) -> None:
    """UserError if a config's values do not fit the annotations of the class or function that receives them.

    Not checked here: values with a `_target_` of their own, names with a leading underscore, and parameters without an
    annotation of plain data.
    """
    parameters, open_ended = _parameters(function)
    for key, value in values.items():
        if str(key).startswith("_") or (isinstance(value, Mapping) and "_target_" in value):
            continue
        if key not in parameters:
            if open_ended:
                continue
            hint = nearest(str(key), parameters) if parameters else "this part has no settings"
            raise UserError(f"there is no key '{path}{key}': {hint}")
        kind = parameters[key]
        if kind is inspect.Parameter.empty:
            continue
        try:
            adapter = TypeAdapter(kind, config=None if _is_model(kind) else NUMBERS)
        except (PydanticSchemaGenerationError, PydanticUserError, TypeError):
            continue
        try:
            adapter.validate_python(tuple(value) if _is_tuple(kind) and isinstance(value, list) else value)
        except ValidationError as error:
            raise UserError(sentence(error, value, f"{path}{key}.", kind)) from None


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _is_tuple(kind: Any) -> bool:
    """Whether a type is a tuple; YAML has no tuples, so a list is accepted."""
    return kind is tuple or get_origin(kind) is tuple


def _parameters(function: Callable[..., Any]) -> tuple[dict[str, Any], bool]:
    """The annotations of all keyword parameters, including those a class passes on to its parents.

    Also returns whether further keywords are accepted.
    """
    calls = [function]
    if inspect.isclass(function):
        calls = [vars(parent)["__init__"] for parent in function.__mro__[:-1] if "__init__" in vars(parent)]
    parameters: dict[str, Any] = {}
    for call in calls:
        try:
            signature, hints = inspect.signature(call), get_type_hints(call, include_extras=True)
        except (ValueError, TypeError, NameError):  # a builtin, or a hint that only a type checker can read
            return parameters, True
        for name, parameter in signature.parameters.items():
            if name != "self" and parameter.kind in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
                parameters.setdefault(name, hints.get(name, inspect.Parameter.empty))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values()):
            return parameters, False
    return parameters, bool(calls)


def sentence(error: ValidationError, values: Any, path: str, model: Any) -> str:
    """The first validation error as one sentence: the key, and what to set."""
    errors = error.errors()
    key, value = _place(errors[0], values, path)
    same = [one for one in errors if _place(one, values, path)[0] == key] or errors
    kinds = {one["type"] for one in same}
    if "missing" in kinds:
        return f"{key} has no value: set {key}=…"
    if "extra_forbidden" in kinds:
        return f"there is no key {key!r}: {nearest(key.rpartition('.')[2], _fields(model, errors[0]['loc'][:-1]))}"
    shown = "null" if value is None else value
    for one in same:
        if one["type"] == "literal_error":
            choices = [choice.strip().strip("'") for choice in one["ctx"]["expected"].replace(" or ", ", ").split(",")]
            return f"{key}={shown} is not a valid choice: {nearest(str(shown), choices)}"
    for one in same:
        if one["type"] in BOUNDS:
            name, text = BOUNDS[one["type"]]
            return f"{key}={shown} is out of range: set {key} to {text.format(one['ctx'][name])}"
    wanted = list(dict.fromkeys(KINDS[one["type"]] for one in same if one["type"] in KINDS))
    if wanted == ["text"]:
        return f"{key}={shown} is not text: put it in quotes"
    if wanted:
        return f"{key}={shown} is not {' or '.join(wanted)}: set {key} to {wanted[0]}"
    return f"{key}={shown} cannot be used: {same[0]['msg']}"


def _place(error: Any, values: Any, path: str) -> tuple[str, Any]:
    """The dotted key of a validation error and its value, without pydantic's names for alternatives."""
    walked: list[str] = []
    for i, part in enumerate(error["loc"]):
        missing = error["type"] == "missing" and i == len(error["loc"]) - 1
        if isinstance(values, Mapping) and (part in values or missing):
            walked.append(str(part))
            values = values.get(part)
        elif isinstance(values, list) and isinstance(part, int) and part < len(values):
            values = values[part]
    return (path + ".".join(walked)).rstrip("."), values


def _fields(model: Any, path: Sequence[Any]) -> list[str]:
    """The keys that are allowed at a path."""
    for part in path:
        kinds = [model, *get_args(model)]
        fields: Mapping[str, Any] = next((k.model_fields for k in kinds if _is_model(k) and part in k.model_fields), {})
        model = fields[part].annotation if part in fields else model
    names = [field.alias or name for kind in (model, *get_args(model)) if _is_model(kind)
             for name, field in kind.model_fields.items()]  # fmt: skip
    return list(dict.fromkeys(names))
