"""Where images come from: a source gives image number i as uint8 RGB (size, size, 3) and knows its label.

A new data set is one class here and one YAML under conf/data.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dgn import images
from dgn.errors import UserError


class Source:
    """Images by number. `size` is the side of the square that `load` gives, in pixels."""

    size: int
    labels: Sequence[int]
    classes: Sequence[str]

    def __len__(self) -> int:
        return len(self.labels)

    def load(self, index: int) -> np.ndarray:
        """Image `index` as uint8 RGB (size, size, 3). Raises OSError or ValueError if it cannot be read."""
        raise NotImplementedError

    def name(self, index: int) -> str:
        """What the image is called in messages and tables."""
        raise NotImplementedError


class Files(Source):
    """A list of image files with a class each; the short side is brought to `size` and the centre kept."""

    def __init__(self, files: Sequence[tuple[Path, int]], classes: Sequence[str], size: int) -> None:
        self.files, self.classes, self.size = [file for file, _ in files], classes, size
        self.labels = [label for _, label in files]

    def load(self, index: int) -> np.ndarray:
        return images.load_square(self.files[index], self.size)

    def name(self, index: int) -> str:
        return "/".join(self.files[index].parts[-2:])


def folders(root: Path) -> dict[str, list[Path]]:
    """The images under each subfolder of `root`, by the subfolder's name, everything sorted."""
    found = {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in images.SUFFIXES)
        if files:
            found[folder.name] = files
    return found


def need(root: str | None, name: str, *inside: str) -> Path:
    """`root` as a folder that holds `inside`; otherwise one sentence that says what is missing."""
    if root is None:
        raise UserError(f"data={name} needs the folder of its images: data.root=DIR")
    path = Path(root).expanduser()
    for part in (path, *(path / item for item in inside)):
        if not part.exists():
            raise UserError(f"there is no {part}: data.root must name the folder of data={name}")
    return path


def imagefolder(root: str | None, size: int, held_out: int) -> tuple[Source, Source]:
    """One folder a class, under `root/train` and `root/val`; without those, every `held_out`-th image validates.

    A folder with images but no subfolders is one class.
    """
    path = need(root, "imagefolder")
    if (path / "train").is_dir() and (path / "val").is_dir():
        train, val = folders(path / "train"), folders(path / "val")
        classes = sorted(train)
        pairs = [[(f, classes.index(c)) for c in classes for f in part.get(c, [])] for part in (train, val)]
    else:
        flat = sorted(f for f in path.iterdir() if f.suffix.lower() in images.SUFFIXES)
        found = folders(path) or ({path.name: flat} if flat else {})
        classes = sorted(found)
        every = [(f, classes.index(c)) for c in classes for f in found[c]]
        pairs = [
            [p for i, p in enumerate(every) if (i % held_out == 0) == validates] for validates in (False, True)
        ]
    if not pairs[0] or not pairs[1]:
        raise UserError(f"no images were found under {path}: data.root needs one folder of images a class")
    return Files(pairs[0], classes, size), Files(pairs[1], classes, size)
