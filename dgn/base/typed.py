"""Typed settings: a mistake becomes one sentence that names the key."""

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from dgn.base.errors import UserError, nearest

STRICT = ConfigDict(strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True)
NUMBERS = ConfigDict(strict=True, arbitrary_types_allowed=True)
LARGEST_SEED = 2**32 - 1  # the limit of numpy's generators, which training seeds too

Count = Annotated[int, Field(ge=1)]
Size = Count | Annotated[list[Count], Field(min_length=2, max_length=2)]  # pixels: a square's side, or [height, width]
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]

KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
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

    def plain(self) -> dict[str, Any]:
        """The settings as dictionaries and lists with the keys of the YAML: for `config.yaml`, identities and logs."""
        return self.model_dump(by_alias=True, exclude_unset=True)


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


def arguments(
    function: Callable[..., Any], values: Mapping[str, Any], path: str = "", filled: Collection[str] | None = ()
) -> dict[str, Any]:
    """Check keyword arguments against the annotations of the class or function that receives them.

    Not checked: the values that have a `_target_` of their own or whose parameter has no annotation of plain data, and
    names with a leading underscore.

    Args:
        path: of `values` in the config, with a dot at its end.
        filled: parameters that the caller sets itself; None if it may set any that is missing here.

    Raises UserError, one sentence, for an argument that is missing, unknown, or not of the annotated type and range.
    """
    parameters, open_ended = _parameters(function)
    taken = [name for name in parameters if name not in (filled or ())]
    checked = dict(values)
    for key, value in values.items():
        if str(key).startswith("_"):
            continue
        if key in taken:
            if not (isinstance(value, Mapping) and "_target_" in value):
                checked[key] = _argument(parameters[key].annotation, value, f"{path}{key}.")
        elif not open_ended:
            hint = nearest(str(key), taken) if taken else "this part has no settings"
            raise UserError(f"there is no key '{path}{key}': {hint}")
    for name in taken if filled is not None else ():
        if name not in values and parameters[name].default is inspect.Parameter.empty:
            raise UserError(f"{path}{name} has no value: set {path}{name}=…")
    return checked


def _argument(kind: Any, value: Any, path: str) -> Any:
    """The value as the annotated type; unchanged if the annotation is not one of plain data."""
    if kind is inspect.Parameter.empty:
        return value
    try:
        adapter = TypeAdapter(kind, config=None if _is_model(kind) else NUMBERS)
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError):
        return value
    try:
        return adapter.validate_python(tuple(value) if _is_tuple(kind) and isinstance(value, list) else value)
    except ValidationError as error:
        raise UserError(sentence(error, value, path, kind)) from None


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _is_tuple(kind: Any) -> bool:
    """Whether a type is a tuple; YAML has no tuples, so a list is accepted."""
    return kind is tuple or get_origin(kind) is tuple


def _parameters(function: Callable[..., Any]) -> tuple[dict[str, inspect.Parameter], bool]:
    """All keyword parameters with resolved annotations, including those a class passes on to its parents.

    Also returns whether further keywords are accepted.
    """
    calls = [function]
    if inspect.isclass(function):
        calls = [vars(parent)["__init__"] for parent in function.__mro__[:-1] if "__init__" in vars(parent)]
    parameters: dict[str, inspect.Parameter] = {}
    for call in calls:
        try:
            signature, hints = inspect.signature(call), get_type_hints(call, include_extras=True)
        except (ValueError, TypeError, NameError):  # a builtin, or a hint that only a type checker can read
            return parameters, True
        for name, parameter in signature.parameters.items():
            if name != "self" and parameter.kind in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
                parameters.setdefault(name, parameter.replace(annotation=hints.get(name, parameter.empty)))
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
    choices = [choice for one in same if one["type"] == "literal_error" for choice in _choices(one)]
    for one in same:
        if one["type"] in BOUNDS:
            name, text = BOUNDS[one["type"]]
            bound = text.format(one["ctx"][name])
            return f"{key}={shown} is out of range: set {key} to {', or to '.join([bound, *choices])}"
    if said := next((said for one in same if (said := _length(one))), ""):
        instead = f", or to {KINDS['int_type']}" if "int_type" in kinds else ""
        count = f"{len(value)} value{'s' * (len(value) != 1)}"
        return f"{key}={shown} has {count}: set {key} to {said}{instead}"
    wanted = list(dict.fromkeys(KINDS[one["type"]] for one in same if one["type"] in KINDS))
    if choices and wanted:
        return f"{key}={shown} is neither {wanted[0]} nor {' nor '.join(choices)}: set {key} to one of them"
    if choices:
        return f"{key}={shown} is not a valid choice: {nearest(str(shown), choices)}"
    if wanted == ["text"]:
        return f"{key}={shown} is not text: put it in quotes"
    if wanted:
        example = f", [{value}]" if wanted == [KINDS["list_type"]] and isinstance(value, str | int | float) else ""
        return f"{key}={shown} is not {' or '.join(wanted)}: set {key} to {wanted[0]}{example}"
    if same[0]["type"] == "value_error":  # a validator of ours, whose words go on from the key and its value
        return f"{key}={shown} {same[0]['ctx']['error']}"
    return f"{key}={shown} cannot be used: {same[0]['msg']}"


def _length(error: Mapping[str, Any]) -> str:
    """How long a list has to be that is too short or too long; "" for another error."""
    known = {"too_short": ("min_length", "at least"), "too_long": ("max_length", "at most")}
    bound, word = known.get(error["type"], ("", ""))
    return f"a list of {word} {error['ctx'][bound]}" if bound else ""


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


def _fields(kind: Any, path: Sequence[Any]) -> list[str]:
    """The keys that are allowed at a path; pydantic's own names of alternatives are skipped."""
    for part in path:
        fields = next((model.model_fields for model in _models(kind) if part in model.model_fields), {})
        kind = fields[part].annotation if part in fields else kind
    names = [field.alias or name for model in _models(kind) for name, field in model.model_fields.items()]
    return list(dict.fromkeys(names))


def _models(kind: Any) -> list[type[BaseModel]]:
    """The classes of settings in a type, those among alternatives included."""
    return [kind] if _is_model(kind) else [model for part in get_args(kind) for model in _models(part)]


def _choices(error: Mapping[str, Any]) -> list[str]:
    """The values of a Literal that a value is none of."""
    return [choice.strip().strip("'") for choice in error["ctx"]["expected"].replace(" or ", ", ").split(",")]
