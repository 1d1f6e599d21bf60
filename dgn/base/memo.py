"""What one run loads and the next can use again."""

from collections.abc import Callable
from typing import Any, TypeVar

Value = TypeVar("Value")


class Memo:
    """Keeps one value a name, and makes it again once what it is made from has changed."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, Any]] = {}

    def __call__(self, name: str, made_from: Any, make: Callable[[], Value]) -> Value:
        """The value of a name: the kept one if it was made from something equal, otherwise `make()`."""
        if name not in self._kept or self._kept[name][0] != made_from:
            self._kept.pop(name, None)  # before the new one is made: two networks may not fit into memory
            self._kept[name] = (made_from, make())
        return self._kept[name][1]
