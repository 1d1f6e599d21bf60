"""Moments of codes from the released files of bounds (act_range of the code of Nguyen et al. 2016).

A file has one whole number for each element of a code, floor(mean + k · std) of its values on real images. The folder
tells k: `3x/fc6.txt`.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from dgn.base.errors import UserError
from dgn.base.files import read_text
from dgn.generators.moments import Moments

MOST = 0.01  # of the elements whose bounds may not follow from one mean and standard deviation: 16 of conv3's 64,896


def moments(paths: Sequence[Path], shape: tuple[int, ...]) -> tuple[Moments, str]:
    """Moments of codes of this shape from one or several files of bounds, and what is known of them, in words.

    Several files give mean and standard deviation by least squares through the middles of the intervals that rounding
    down leaves open. One file does not tell them apart: the mean is taken as 0. Whether codes were negative is in no
    file: the lower bound is 0, as released.

    Raises UserError for a file that is missing, has other numbers or another count, or two that do not go together.
    """
    of = {_k(path): _read(path, shape) for path in paths}
    if len(of) < len(paths):
        raise UserError("--bounds names two files of one folder: give one file of each of 1x, 2x and 3x")
    if len({len(values) for values in of.values()}) > 1:
        raise UserError("the files of --bounds have different lengths: give the files of one layer")
    ks = np.array(sorted(of))
    middles = np.stack([of[k] for k in ks]) + 0.5
    inverse = np.linalg.pinv(np.stack([ks**0, ks], 1)) if len(ks) > 1 else np.array([[0], [1 / ks[0]]])
    mean, std = inverse @ middles
    std = np.maximum(std, 0)
    missed = int(np.any([np.floor(mean + k * std) != of[k] for k in ks], 0).sum())
    if missed > MOST * len(mean):
        raise UserError(f"{missed} of {len(mean)} elements have bounds that no mean and standard deviation give: give "
                        "files of one layer, each in its folder (1x, 2x, 3x)")  # fmt: skip
    whole = len(mean) == np.prod(shape)
    per_unit = shape if whole else (shape[0], *[1] * (len(shape) - 1))
    values = {
        "mean": torch.from_numpy(mean).float().view(per_unit),
        "std": torch.from_numpy(std).float().view(per_unit),
    }
    zero = torch.zeros(per_unit)
    found = Moments.from_tensors(values | {"minimum": zero, "negative": zero, "count": torch.tensor(1)})
    return found, _said(ks, inverse, missed, len(mean))


def _said(ks: np.ndarray, inverse: np.ndarray, missed: int, elements: int) -> str:
    """What of the moments is exact, and what is rounded."""
    names = ", ".join(f"{k:g}x" for k in ks)
    exact = "its bounds are" if not missed else f"the bounds of all but {missed} of {elements} elements are"
    kept = f"from the released bounds {names}; with prior.round=floor {exact} exact"
    if len(ks) == 1:
        return f"{kept}; one file does not tell mean from std, so the mean is taken as 0"
    mean, std = np.abs(inverse).sum(1) / 2
    return f"{kept}; std is known to ±{std:.2g} and mean to ±{mean:.2g}, because bounds are whole numbers"


def _k(path: Path) -> float:
    """How many standard deviations a file of bounds is about, from the name of its folder."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)x", path.absolute().parent.name)
    if not match or not float(match[1]):
        raise UserError(f"{path} does not say how many standard deviations its bounds are about: put it into a folder "
                        "1x, 2x or 3x, as released")  # fmt: skip
    return float(match[1])


def _read(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The numbers of a file of bounds, one for each element or, of a map, for each channel."""
    try:
        values = np.array(read_text(path).split(), dtype=float)
    except ValueError:
        raise UserError(
            f"{path} does not hold numbers separated by spaces: take a released file of act_range"
        ) from None
    known = {int(np.prod(shape)), *([shape[0]] if len(shape) > 1 else [])}
    if len(values) not in known:
        wanted = " or ".join(str(count) for count in sorted(known, reverse=True))
        raise UserError(f"{path} has {len(values)} bounds, but a code of this layer has {wanted} elements: take the "
                        "file of the layer")  # fmt: skip
    if not np.isfinite(values).all() or (values < 0).any() or (values % 1).any():
        raise UserError(f"{path} holds numbers that are no whole numbers from 0: take a released file of act_range")
    return values
