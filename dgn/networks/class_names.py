"""Class names for people: of ImageNet's 1000 classes, and of any folder named by a WordNet number."""

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path

TABLE = Path(__file__).parent.parent / "assets" / "imagenet_classes.csv"


@cache
def _table() -> list[dict[str, str]]:
    with TABLE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def imagenet() -> list[str]:
    """The names of the 1000 classes in their usual order."""
    return [row["name"] for row in _table() if row["index"]]


def readable(classes: Sequence[str]) -> list[str]:
    """Folder names with WordNet numbers (n01443537) put into words; others as they are."""
    words = {row["wnid"]: row["name"] for row in _table()}
    return [words.get(name, name) for name in classes]
