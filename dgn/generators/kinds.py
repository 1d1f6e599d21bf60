"""The classes of G that can be trained and stored in bundles: dgn's by name, yours by import path."""

from hydra.utils import get_class

from dgn.base.errors import UserError, first_line, nearest
from dgn.generators.base import Generator
from dgn.generators.deepsim import Deepsim

KINDS: dict[str, type[Generator]] = {"deepsim": Deepsim}


def named(kind: str | None) -> type[Generator] | None:
    """The class that a config's `kind` names: one of `KINDS`, or an importable path; None for None.

    Only for what the user has set, never for what a file says. UserError if there is no such class.
    """
    if kind is None or kind in KINDS:
        return KINDS.get(kind or "")
    if "." not in str(kind):
        raise UserError(f"there is no generator.kind {kind!r}: {nearest(str(kind), KINDS)} (or set the import path of "
                        "your own class)")  # fmt: skip
    try:
        cls = get_class(str(kind))
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise UserError(
            f"cannot import generator.kind={kind} ({first_line(error)}): check the path of the class"
        ) from None
    if not issubclass(cls, Generator):
        raise UserError(f"generator.kind={kind} is not a subclass of dgn.generators.base.Generator: set "
                        "generator._target_ instead to use it without training")  # fmt: skip
    return cls


def kind_of(cls: type[Generator]) -> str:
    """What a bundle calls the class of its G: the inverse of `named`."""
    return next((name for name, known in KINDS.items() if known is cls), f"{cls.__module__}.{cls.__qualname__}")
