"""Class names: of ImageNet's 1000 classes, of folders named by WordNet numbers, and from text files."""

import csv
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from dgn.base.errors import UserError
from dgn.base.files import read_text

TABLE = Path(__file__).parent.parent / "assets" / "imagenet_classes.csv"


@cache
def _table() -> list[dict[str, str]]:
    with TABLE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def _words() -> dict[str, str]:
    return {row["wnid"]: row["name"] for row in _table()}


def imagenet() -> list[str]:
    """The names of the 1000 classes in their usual order."""
    return [row["name"] for row in _table() if row["index"]]


def readable(classes: Sequence[str]) -> list[str]:
    """Folder names: WordNet numbers such as n01443537 become words, other names stay as they are."""
    return [_words().get(name, name) for name in classes]


def from_file(path: Path) -> list[str]:
    """The names in a text file, one a line in the order of the outputs; blank lines at the end do not count.

    Raises UserError for a file that cannot be read, is JSON, or leaves a line blank.
    """
    text = read_text(path)
    if _is_json(text):
        raise UserError(f"{path} is JSON: write the class names as plain text, one per line")
    return complete(text.rstrip().split("\n"), str(path))


def complete(classes: Sequence[str], source: str) -> list[str]:
    """Names without spaces around them. Raises UserError if one is empty; `source` is where they come from."""
    stripped = [name.strip() for name in classes]
    if "" in stripped:
        raise UserError(f"{source} has no class name for output {stripped.index('')}: set one name per output")
    return stripped


def _is_json(text: str) -> bool:
    """Whether a text is a list or a dictionary in JSON."""
    if text.lstrip()[:1] not in {"[", "{"}:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
