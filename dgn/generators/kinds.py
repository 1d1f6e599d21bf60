"""The classes of G that can be trained and kept in bundles: dgn's by a name, those of a user by their path."""

from hydra.utils import get_class

from dgn.base.errors import UserError, first_line, nearest
from dgn.generators.base import Generator
from dgn.generators.deepsim import Deepsim

KINDS: dict[str, type[Generator]] = {"deepsim": Deepsim}


def named(kind: str | None) -> type[Generator] | None:
    """The class that a config's `kind` names: one of `KINDS`, or an importable path; None for None.

    Only for what the user has set, never for what a file says. UserError where there is no such class.
    """
    if kind is None or kind in KINDS:
        return KINDS.get(kind or "")
    if "." not in str(kind):
        raise UserError(f"there is no generator.kind {kind!r}: set the path of a class, or one of dgn's; "
                        f"{nearest(str(kind), KINDS)}")  # fmt: skip
    try:
        cls = get_class(str(kind))
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise UserError(f"generator.kind={kind} cannot be imported ({first_line(error)})") from None
    if not issubclass(cls, Generator):
        raise UserError(f"generator.kind={kind} is not a subclass of dgn.generators.base.Generator: set "
                        "generator._target_ for a decoder that is not to be trained")  # fmt: skip
    return cls


def kind_of(cls: type[Generator]) -> str:
    """What a bundle calls the class of its G: the inverse of `named`."""
    return next((name for name, known in KINDS.items() if known is cls), f"{cls.__module__}.{cls.__qualname__}")
