"""Units from a text file, one per line."""

import re
from collections.abc import Sequence
from pathlib import Path

from dgn.base.files import read_text
from dgn.units.names import ClassNames


def from_file(path: Path | str, classes: Sequence[str] | None = None) -> list[str]:
    """The texts of the units in a file, one a line, without blank lines and comments.

    A # begins a comment at the start of a line or after a space, unless the line is the name of one of `classes`.
    Raises UserError if the file cannot be read.
    """
    names = ClassNames(classes or [])
    return [unit for line in read_text(path).split("\n") if (unit := _without_comment(line.strip(), names))]


def _without_comment(line: str, names: ClassNames) -> str:
    ends = [match.start() for match in re.finditer(r"(?:^|(?<=\s))#", line)]
    texts = [line[:end].strip() for end in (*ends, len(line))]
    return next((text for text in reversed(texts) if names.candidates(text)), texts[0])
