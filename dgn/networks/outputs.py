"""The tensors in the output of a layer or network: one, a tuple, a dict, or an object with tensors."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor

DEPTH = 3  # of what stands in a tuple in a dict in a tuple; deeper, an object may lead to the whole program


def parts(out: Any) -> dict[str, Tensor]:
    """Every tensor in `out` by the place where it stands: "" for a tensor itself, "[0]", ".logits", "['out'][1]".

    Looked into are tuples, lists, named tuples, mappings, and the attributes of other objects, `DEPTH` deep.
    """
    return dict(_within(out, "", DEPTH))


def _within(out: Any, place: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    if isinstance(out, Tensor):
        yield place, out
    elif depth:
        for name, value in _items(out):
            yield from _within(value, place + name, depth - 1)


def _items(out: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(out, Mapping):
        yield from ((f"[{key!r}]", value) for key, value in out.items())
    elif isinstance(out, tuple) and hasattr(out, "_fields"):
        yield from ((f".{name}", value) for name, value in zip(out._fields, out, strict=True))
    elif isinstance(out, tuple | list):
        yield from ((f"[{i}]", value) for i, value in enumerate(out))
    elif is_dataclass(out):  # it may have no __dict__
        yield from ((f".{field.name}", getattr(out, field.name, None)) for field in fields(out))
    else:
        yield from ((f".{name}", value) for name, value in getattr(out, "__dict__", {}).items())


def chosen(out: Any, count: int) -> str | None:
    """The place of the one part of `out` that is read, see `parts`; None where `out` holds no tensor.

    Of a tuple or a list it is the first part that has a row for each of the `count` images, as attention gives its
    tokens before its weights. Of what has names it is the first vector (N, D), or else the first part with such rows.
    """
    tensors = parts(out)
    fitting = [place for place, value in tensors.items() if value.ndim in {2, 3, 4} and len(value) == count]
    vectors = [place for place in fitting if tensors[place].ndim == 2]
    ordered = isinstance(out, tuple | list) and not hasattr(out, "_fields")
    best = fitting if ordered else vectors + fitting
    return next(iter([*best, *tensors]), None)


def tensor_of(out: Any, count: int) -> Tensor | None:
    """What is read of a layer's output for `count` images, see `chosen`; None where it holds no tensor."""
    place = chosen(out, count)
    return None if place is None else parts(out)[place]


def channels_first(x: Tensor) -> Tensor:
    """(N, S, S, C), as Swin has its maps, to (N, C, S, S); (N, C, S, S) as it is: inputs are square, so maps are."""
    if x.ndim == 4 and x.shape[1] == x.shape[2] != x.shape[3]:
        return x.permute(0, 3, 1, 2)
    return x
