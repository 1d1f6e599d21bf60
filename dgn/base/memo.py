"""Reuse what an earlier run has loaded."""

from collections.abc import Callable
from typing import Any, TypeVar

Value = TypeVar("Value")


class Memo:
    """Caches one value per name; remakes it when its inputs change."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, Any]] = {}

    def __call__(self, name: str, made_from: Any, make: Callable[[], Value]) -> Value:
        """The cached value of a name if its inputs are equal, else `make()`."""
        if name not in self._kept or self._kept[name][0] != made_from:
            self._kept.pop(name, None)  # before the new one is made: two networks may not fit into memory
            self._kept[name] = (made_from, make())
        return self._kept[name][1]
