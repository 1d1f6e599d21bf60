"""What the elements of a layer are called, and how a typed name is found among them."""

import re
from collections.abc import Sequence

SIGNS = {"-", "+"}


class Names:
    """Class names, found whatever their case, apostrophes, commas, hyphens and underscores; any synonym will do.

    Where that leaves several, the one that is spelt just so wins: ImageNet has a Cardigan, a dog, and a cardigan.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = classes
        self.index: dict[str, int] = {}
        for whole in (False, True):  # a full name wins over another class's synonym
            for i, name in reversed(list(enumerate(classes))):
                for form in [name] if whole else name.split(","):
                    self.index[self.plain(form)] = i
        backwards = list(reversed(list(enumerate(classes))))  # the first wins; Cardigan is a dog, cardigan is none
        self.exact = {name.lower(): i for i, name in backwards} | {name: i for i, name in backwards}
        self.index.pop("", None)

    @staticmethod
    def plain(name: str) -> str:
        """A name as it is compared."""
        return " ".join(re.sub(r"[-_,]", " ", re.sub(r"['’`\"]", "", name.lower())).split())

    def find(self, name: str) -> int | None:
        """The index of a name, or None; a sign at an end belongs to a name only where the class is called just so."""
        loose = None if name[:1] in SIGNS or name[-1:] in SIGNS else self.index.get(self.plain(name))
        return self.exact.get(name, self.exact.get(name.lower(), loose))

    def label(self, channel: int) -> str:
        """The name of an element, or its number."""
        return self.classes[channel].split(",")[0] if channel < len(self.classes) else str(channel)
