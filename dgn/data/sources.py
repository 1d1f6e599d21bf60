"""Image sources: image number i as uint8 RGB (size, size, 3), with its label.

To add a data set, write one class or function here and one YAML under conf/data.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from dgn.base import images
from dgn.base.errors import UserError
from dgn.base.ranks import first
from dgn.base.typed import Size
from dgn.data.layouts import Listing, by_class, count, layout, lines, listed
from dgn.data.listing import shown


class Source:
    """Images by number. `size` is that of what `load` gives, in pixels: a square's side, or [height, width]."""

    size: Size
    labels: np.ndarray  # (N,) int64, into `classes`
    classes: Sequence[str]

    def __len__(self) -> int:
        return len(self.labels)

    def load(self, index: int) -> np.ndarray:
        """Image `index` as uint8 RGB (height, width, 3). Raises images.Unreadable."""
        raise NotImplementedError

    def name(self, index: int) -> str:
        """What the image is called in messages and tables."""
        raise NotImplementedError


class Files(Source):
    """Image files by class; the largest central part of each of the shape of `size`, brought to it.

    The paths are one array of bytes: a million Path objects are 0.6 GiB, copied into every process that reads.
    """

    def __init__(self, files: Iterable[tuple[str, int]], classes: Sequence[str], size: Size) -> None:
        paths, labels = zip(*files, strict=True)
        self.paths, self.labels = np.array([os.fsencode(path) for path in paths]), np.array(labels, np.int64)
        self.classes, self.size = classes, size

    def load(self, index: int) -> np.ndarray:
        return images.load_centre(os.fsdecode(self.paths[index]), self.size)

    def name(self, index: int) -> str:
        return "/".join(shown(self.paths[index]).rsplit("/", 2)[-2:])


def labelled(files: Mapping[str, Sequence[str]], classes: Sequence[str]) -> list[tuple[str, int]]:
    """(path, number of its class) of the files by class, in the classes' order; other classes are left out."""
    return [(path, i) for i, name in enumerate(classes) for path in files.get(name, ())]


def need(root: str | None, name: str, *inside: str) -> Path:
    """`root` as a folder that contains `inside`; UserError says what is missing."""
    if root is None:
        raise UserError(f"data={name} needs a folder of images: set data.root=DIR")
    path = Path(str(root)).expanduser()
    if path.is_file():
        raise UserError(f"{path} is a file: set data.root to the folder of data={name}")
    for part in (path, *(path / item for item in inside)):
        if not part.exists():
            raise UserError(f"{part} does not exist: set data.root to the folder of data={name}")
    return path


def imagefolder(root: str | None, size: Size, held_out: int, name: str = "imagefolder") -> tuple[Source, Source]:
    """One folder a class, in two folders for training and held-out images or all together: see `layouts.layout`.

    Where no folder is for held-out images, every `held_out`-th image is one.
    """
    path = need(root, name)
    if held_out < 2:
        raise UserError(f"data.sources.held_out={held_out} leaves no training images: set 2 or more")
    folders = layout(path)
    if folders.held_out is not None:
        return pair(name, folders.train, folders.held_out, size, folders.where)
    classes = list(folders.train.files)
    every = labelled(folders.train.files, classes)
    if not every:
        raise UserError(f"there are no images under {path}: set data.root to a folder with one folder of images per "
                        "class")  # fmt: skip
    if len(every) < 2:
        raise UserError(f"there is only one image under {path}: add more, for training and evaluation")
    train, val = [p for i, p in enumerate(every) if i % held_out], every[::held_out]
    tell(name, classes, (train, "training images"), (val, f"held-out images (one in {held_out})"))
    tell_more("left out", folders.train.left_out)
    return Files(train, classes, size), Files(val, classes, size)


def pair(name: str, train: Listing, val: Listing, size: Size, where: tuple[str, str]) -> tuple[Source, Source]:
    """The two sources of a data set whose held-out images are apart, in the folders `where`; says what was found."""
    classes = list(train.files)
    known, unknown = (sorted(n for n in val.files if (n in train.files) is answer) for answer in (True, False))
    if not known:
        raise UserError(f"{where[1]} ({listed(unknown)}) and {where[0]} ({listed(classes)}) share no class: give their "
                        "class folders the same names")  # fmt: skip
    left_out = train.left_out + val.left_out
    left_out += [f"{where[1]}/{n} (no such class in {where[0]})" for n in unknown]
    pairs = labelled(train.files, classes), labelled(val.files, classes)
    tell(name, classes, (pairs[0], f"training images in {where[0]}"), (pairs[1], f"held-out images in {where[1]}"))
    tell_more("left out", left_out)
    tell_more("without held-out images", [n for n in classes if n not in val.files])
    return Files(pairs[0], classes, size), Files(pairs[1], classes, size)


def imagenet(root: str | None, size: Size) -> tuple[Source, Source]:
    """ILSVRC 2012 as it is unpacked: `train/n01440764/*.JPEG` and `val/` likewise, or flat with Kaggle's solution file.

    `root` may also be Kaggle's own folder, with the images in `ILSVRC/Data/CLS-LOC`.
    """
    path = need(root, "imagenet")
    inner = path / "ILSVRC" / "Data" / "CLS-LOC"
    base = inner if inner.is_dir() else path
    need(str(base), "imagenet", "train", "val")
    train, val = by_class(base / "train"), by_class(base / "val")
    if not val.files:
        val = Listing(_solved(base / "val", path / "LOC_val_solution.csv"))
    if not train.files or not val.files:
        raise UserError(f"there are no images under {base}: data=imagenet needs train/ and val/ with one folder per "
                        "class")  # fmt: skip
    return pair("imagenet", train, val, size, ("train", "val"))


def _solved(folder: Path, solution: Path) -> dict[str, list[str]]:
    """A flat validation folder by class, from lines like `ILSVRC2012_val_00048981,n03995372 85 1 499 272`."""
    if not solution.is_file():
        raise UserError(
            f"{folder} has no class folders: sort the validation images into the folders of train, or put Kaggle's "
            f"{solution.name} into data.root"
        )
    by_name: dict[str, list[str]] = {}
    for line in lines(solution)[1:]:
        image, _, boxes = line.partition(",")
        if boxes.strip():
            by_name.setdefault(boxes.split()[0], []).append(str(folder / f"{image}.JPEG"))
    return by_name


def places365(root: str | None, size: Size) -> tuple[Source, Source]:
    """Places365-Standard as it is unpacked: `train/` and `val/` by class, or the small images with their lists.

    The latter are `data_256_standard/`, `val_256/`, `places365_train_standard.txt`, `places365_val.txt` and
    `categories_places365.txt`, the layout that torchvision has as well.
    """
    path = need(root, "places365")
    if (path / "train").is_dir():
        return imagefolder(root, size, held_out=20, name="places365")
    lists = ("categories_places365.txt", "places365_train_standard.txt", "places365_val.txt")
    need(root, "places365", "data_256_standard", "val_256", *lists)
    numbered = _numbered(path / lists[0])
    classes = [name for name, _ in sorted(numbered, key=lambda entry: entry[1])]
    if sorted(label for _, label in numbered) != list(range(len(classes))):
        raise UserError(f"{path / lists[0]} does not number its classes 0, 1, 2, …: download it again")
    pairs = []
    for folder, name in (("data_256_standard", lists[1]), ("val_256", lists[2])):
        entries = _numbered(path / name)
        beyond = [file for file, label in entries if not 0 <= label < len(classes)]
        if beyond or not entries:
            wrong = f"gives {beyond[0]} a class beyond the {len(classes)} of {lists[0]}" if beyond else "is empty"
            raise UserError(f"{path / name} {wrong}: download both lists again, from one release of Places365")
        pairs.append([(f"{path / folder}/{file}", label) for file, label in entries])
    tell("places365", classes, (pairs[0], "training images"), (pairs[1], "held-out images"))
    return Files(pairs[0], classes, size), Files(pairs[1], classes, size)


def _numbered(path: Path) -> list[tuple[str, int]]:
    """The lines of a list of Places365, like `/a/airfield 0`, without the first slash."""
    try:
        return [(name.removeprefix("/"), int(number)) for name, number in map(str.split, lines(path))]
    except ValueError:
        raise UserError(
            f"{path} is not a list of Places365 (a name and a number per line): download it again"
        ) from None


def tell(name: str, classes: Sequence[str], *parts: tuple[Sequence, str]) -> None:
    """Print what was found: the classes, and lists of images with what they are."""
    if first():
        images = ", ".join(f"{len(items)} {what}" for items, what in parts)
        print(f"{name}: {count(classes, 'class')} ({listed(classes)}), {images}")


def tell_more(what: str, names: Sequence[str]) -> None:
    """Print what else is to be known of the folders, where there is any."""
    if names and first():
        print(f"{what}: {listed(names, most=6)}")


class Crops(Source):
    """Random crops of a few photographs, number i a pure function of (seed, i).

    Args:
        photos: (H, W, 3) uint8 by name; an image's class is the photograph that it comes from.
        count: crops.
        size: of a crop in pixels; in the photograph it is between half as large as fits and as large as fits.
    """

    def __init__(self, photos: dict[str, np.ndarray], count: int, size: Size, seed: int) -> None:
        self.photos, self.classes, self.size, self.seed = list(photos.values()), list(photos), size, seed
        self.labels = np.arange(count) % len(photos)

    def load(self, index: int) -> np.ndarray:
        random = np.random.default_rng((self.seed, index))
        photo = self.photos[self.labels[index]]
        height, width = photo.shape[:2]
        rows, columns = images.sides(self.size)
        part = random.uniform(0.5, 1) * min(height / rows, width / columns)
        high, wide = int(part * rows), int(part * columns)
        top, left = random.integers(height - high + 1), random.integers(width - wide + 1)
        crop = Image.fromarray(photo[top : top + high, left : left + wide])
        return np.asarray(crop.resize((columns, rows), Image.Resampling.BOX))

    def name(self, index: int) -> str:
        return f"{self.classes[self.labels[index]]} #{index}"


PHOTOS = ("astronaut", "cat", "coffee", "rocket", "hubble_deep_field", "immunohistochemistry", "retina")


def photos(size: Size, count: int) -> tuple[Source, Source]:
    """Crops of the colour photographs that scikit-image ships: enough to try training, nothing to learn from."""
    try:
        from skimage import data
    except ImportError:
        raise UserError("data=photos needs scikit-image: install it by pip install scikit-image") from None
    pixels = {name: getattr(data, name)()[..., :3] for name in PHOTOS}
    return Crops(pixels, count, size, seed=0), Crops(pixels, max(64, count // 20), size, seed=1)
