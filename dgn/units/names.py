"""Look up a layer's elements by class name."""

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher, get_close_matches
from functools import cached_property

from dgn.base.errors import nearest
from dgn.networks.class_names import readable

SIGNS = {"-", "+"}
MOST_SUGGESTED = 5


class ClassNames:
    """Finds elements by name.

    Case, apostrophes, commas, hyphens and underscores do not matter; any synonym in "maillot, tank suit" matches, and
    the WordNet number of a class of ImageNet.
    The closest spelling wins: ImageNet has "Cardigan", a dog, and "cardigan", a garment.

    Args:
        classes: the name of each element, in order; synonyms are separated by commas. Two elements may have one name.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = list(classes)
        self._levels = [  # of spelling, the closest first
            _index((name, i) for i, name in enumerate(self.classes)),
            _index((name.lower(), i) for i, name in enumerate(self.classes)),
            _index((loose(name), i) for i, name in enumerate(self.classes)),
            _index((loose(part), i) for i, name in enumerate(self.classes) for part in name.split(",")),
        ]

    @cached_property
    def _labels(self) -> list[str]:
        return [loose(self.label(i)) for i in range(len(self.classes))]

    def candidates(self, name: str) -> list[int]:
        """The elements that a name can mean: none, one, or several where the class names do not tell them apart.

        A sign at an end belongs to a name only where the class is spelt with it.
        """
        (word,) = readable([name])
        if word != name and name not in self._levels[0]:
            return self.candidates(word)
        spellings = [name, name.lower()]
        if name[:1] not in SIGNS and name[-1:] not in SIGNS:
            spellings += [loose(name)] * 2
        for level, spelling in zip(self._levels, spellings, strict=False):
            if spelling in level:
                return level[spelling]
        return []

    def find(self, name: str) -> int | None:
        """The one element that a name means; None if there is none, or more than one."""
        elements = self.candidates(name)
        return elements[0] if len(elements) == 1 else None

    def label(self, element: int) -> str:
        """The first name of an element, or its number where it has no name."""
        return self.classes[element].split(",")[0] if element < len(self.classes) else str(element)

    def likeness(self, text: str) -> float:
        """How much a text is like the nearest name: 1 for the same letters, 0 for anything below 0.8."""
        near = get_close_matches(loose(text), self._labels, n=1, cutoff=0.8)
        return SequenceMatcher(None, near[0], loose(text)).ratio() if near else 0.0

    def suggestion(self, name: str) -> str:
        """The end of a sentence about an unknown name: classes with it in a synonym, or else the nearest spellings."""
        word, whole = loose(name), [loose(known) for known in self.classes]
        inside = [self.label(i) for i, known in enumerate(whole) if f" {word} " in f" {known} "]
        if not inside and len(word) > 2:
            inside = [self.label(i) for i, known in enumerate(whole) if word in known]
        if not word or not inside:
            return nearest(name, self.classes)
        more = f" ({len(inside)} classes contain {name!r})" if len(inside) > MOST_SUGGESTED else ""
        return f"did you mean {' or '.join(map(repr, inside[:MOST_SUGGESTED]))}?{more}"


def loose(name: str) -> str:
    """A name as it is compared when case and punctuation do not matter."""
    return " ".join(re.sub(r"[-_,]", " ", re.sub(r"['’`\"]", "", name.lower())).split())


def _index(names: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    """Elements by name, in order; the empty name is left out."""
    index: dict[str, list[int]] = {}
    for name, element in names:
        if name and element not in index.setdefault(name, []):
            index[name].append(element)
    return index
