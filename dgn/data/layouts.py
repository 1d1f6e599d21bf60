"""Folder layouts: find the classes, and the training and held-out images, in a folder."""

import os
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dgn.base import images
from dgn.base.errors import UserError
from dgn.base.files import read_text
from dgn.data.listing import has_images, inside, shown, subfolders, under

TRAIN, VAL, TEST = "train", "val", "test"
ROLES = {
    TRAIN: ("train", "training"),
    VAL: ("val", "valid", "validation", "eval", "evaluation", "heldout", "holdout"),
    TEST: ("test", "testing"),
}
FILLING = ("set", "sets", "split", "data", "dataset", "image", "images", "img", "imgs")
ANNOTATIONS = "val_annotations.txt"  # of Tiny ImageNet: val/images/val_0.JPEG, and here a line with its class


@dataclass
class Listing:
    """Image files by class, everything sorted, and what was left out, a phrase each."""

    files: dict[str, list[str]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


@dataclass
class Layout:
    """A data set's training and held-out images.

    Attributes:
        train: its classes are the data set's.
        held_out: by the same classes; None where some of the training images must serve.
        where: what the two folders are called, for people.
    """

    train: Listing
    held_out: Listing | None
    where: tuple[str, str] = ("", "")


def by_class(folder: Path) -> Listing:
    """The images of each subfolder. UserError if subfolders are called like the parts of a data set."""
    names = subfolders(folder)
    refuse_parts(folder, names, bool(inside(folder, images.SUFFIXES)))
    listing = Listing()
    for name in names:
        files = under(folder / name, images.SUFFIXES)
        if files:
            listing.files[name] = files
            _refuse_nested_parts(folder / name, files)
        else:
            listing.left_out.append(f"{folder.name}/{name} (no image files)")
    beside = inside(folder, images.SUFFIXES)
    if beside and listing.files:
        listing.left_out.append(f"{_files(beside)} beside the class folders of {folder.name}")
    return listing


def layout(root: Path) -> Layout:
    """The classes in `root`, or in its two folders for training and held-out images, by their usual names.

    A folder without subfolders is one class. UserError if it is not clear which folder is which.
    """
    names = subfolders(root)
    parts = roles(names)
    lone = [name for name in parts.get(TRAIN, []) if len(parts) == 1 and not _has_classes(root / name)]
    if not parts or len(lone) == 1 < len(names):  # a class called train
        listing = by_class(root)
        files = {} if listing.files else {root.resolve().name: inside(root, images.SUFFIXES)}
        return Layout(Listing(listing.files or files, listing.left_out), None)
    train = _one(root, parts.pop(TRAIN, []), "training images", names)
    role = VAL if VAL in parts else TEST
    second = _one(root, parts.pop(role), "held-out images", names) if role in parts else None
    listing, held_out = by_class(root / train), None
    if not listing.files:
        raise UserError(f"{shown(root / train)} has no folder of images per class: sort its images into class folders, "
                        f"or set data.root={shown(root / train)} to use them as one class")  # fmt: skip
    others = [name for name in names if name not in {train, second} and has_images(root / name)]
    listing.left_out += [f"{name} (beside {train})" for name in others]
    if beside := inside(root, images.SUFFIXES):
        listing.left_out.append(f"{_files(beside)} beside {train}")
    if second is not None:
        held_out = _annotated(root / second) or by_class(root / second)
        if not held_out.files and role == TEST:  # published without classes, to be predicted
            listing.left_out.append(f"{second} (not sorted into class folders)")
            second = held_out = None
        elif not held_out.files:
            raise UserError(f"{shown(root / second)} has no folder of images per class: sort its images like those of "
                            f"{train}, or move it out of {shown(root)}")  # fmt: skip
    return Layout(listing, held_out, (train, second or ""))


def _has_classes(folder: Path) -> bool:
    return any(has_images(folder / name) for name in subfolders(folder))


def _one(root: Path, candidates: Sequence[str], use: str, names: Iterable[str]) -> str:
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise UserError(f"{shown(root)} has several folders for {use} ({', '.join(candidates)}): keep one of them")
    called = ", ".join(name for name in names if part(name))
    raise UserError(f"{shown(root)} has {called}, but no folder for {use}: put the class folders of the training "
                    f"images into train, or rename {called} if it is a class")  # fmt: skip


def part(name: str) -> tuple[str, tuple[str, ...]] | None:
    """Which part of a data set a folder's name stands for, and the rest of the name; None for other names.

    `val`, `Validation` and `val_set` are (VAL, ()); `seg_test` is (TEST, ("seg",)).
    """
    words = re.findall(r"[^\W\d_]+", re.sub(r"(held|hold)[\W_]+out", r"\1out", name.casefold()))
    rest = [word for word in words if word not in FILLING and _role(word) is None]
    named = [role for word in words if (role := _role(word)) is not None]
    return (named[0], tuple(rest)) if len(named) == 1 else None


def _role(word: str) -> str | None:
    for role, words in ROLES.items():
        if any(word in (known, *(known + more for more in FILLING)) for known in words):
            return role
    return None


def roles(names: Collection[str]) -> dict[str, list[str]]:
    """The names that stand for parts of a data set, by part.

    A name that says more, such as seg_train, is one only beside the same with another part, seg_test.
    """
    parts = {name: known for name in names if (known := part(name)) is not None}
    by_role: dict[str, list[str]] = {}
    for name, (role, rest) in parts.items():
        if not rest or any(other != role and more == rest for other, more in parts.values()):
            by_role.setdefault(role, []).append(name)
    return by_role


def refuse_parts(folder: Path, names: Collection[str], beside: bool) -> None:
    """UserError if class folders are called like the parts of a data set.

    One called train is a class (a vehicle) where there are others, or images `beside` it.
    """
    by_role = roles(names)
    called = [name for known in by_role.values() for name in known]
    if not called or (by_role.get(TRAIN) == called and len(called) == 1 and (beside or len(names) > 1)):
        return
    raise UserError(f"{shown(folder)} holds {' and '.join(called)}, which look like parts of a data set, not classes: "
                    "set data.root to the folder with these parts, or rename the class")  # fmt: skip


def _refuse_nested_parts(folder: Path, files: Iterable[str]) -> None:
    holding = {path.rpartition(os.sep)[0] for path in files}
    children: dict[str, set[str]] = {}
    for directory in holding:
        while directory != str(folder):
            directory, _, name = directory.rpartition(os.sep)
            children.setdefault(directory, set()).add(name)
    for parent, names in children.items():
        refuse_parts(Path(parent), sorted(names), parent in holding)


def _annotated(folder: Path) -> Listing | None:
    """Tiny ImageNet's held-out images by class, where its list is there: `val_0.JPEG n03444034 0 32 44 62` a line."""
    path = folder / ANNOTATIONS
    if not path.is_file():
        return None
    listing, base = Listing(), folder / "images" if (folder / "images").is_dir() else folder
    for line in lines(path):
        image, _, rest = line.partition("\t")
        if not rest:
            raise UserError(f"{shown(path)} has the line {line[:40]!r}: write an image, a tab and its class")
        listing.files.setdefault(rest.split("\t")[0], []).append(str(base / image))
    return listing


def lines(path: Path) -> list[str]:
    """The lines of a list that are not empty."""
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def count(items: Sequence, word: str) -> str:
    """1 image, 2 images, 2 classes."""
    return f"{len(items)} {word}{'' if len(items) == 1 else 'es' if word.endswith('s') else 's'}"


def _files(paths: Sequence[str]) -> str:
    return f"{count(paths, 'image')} ({listed(map(os.path.basename, paths), 2)})"


def listed(names: Iterable[str], most: int = 3) -> str:
    """The first few names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(map(shown, every[:most])) + more
