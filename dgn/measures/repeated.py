"""Repeated: how much of a picture's detail comes again elsewhere in it. 0: nothing does; 1: it is a tiling.

What is told of generators for early layers is that they draw the same fragment many times. A tiling is like itself when
it is shifted, so this looks for the shift under which the picture's detail is most like itself, and for nothing that a
network has learned: no prior can please it, and a symmetric thing, whose halves are alike, does not count. An edge is
like itself along its whole length, but then all smaller shifts of that direction are so, too: they are taken off.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from dgn.base.errors import UserError
from dgn.measures.found import Found, Numbers, Unmeasured
from dgn.measures.subject import NO_CLASS, NO_DATA, Subject

NEAREST, FARTHEST = (
    8,
    2,
)  # shifts from an eighth to half of the side: nearer ones are of one thing, farther ones overlap little
BLUR = 16  # what is coarser than a sixteenth of the side is light and shade, not detail
BETWEEN = (0.25, 0.375, 0.5, 0.625, 0.75)  # of a shift: where a dip shows that it is no edge
NAME = "repeated/detail"


def measure(subject: Subject) -> list[Found]:
    """Of each picture, and of real images of the same classes."""
    values = [value for x in subject.run.batches() for value in repeated(x).tolist()]
    found: list[Found] = [Numbers(NAME, values, subject.run.units)]
    try:
        if subject.real is None:
            raise UserError(NO_DATA)
        if not subject.unit_of:
            raise UserError(NO_CLASS)
        batches = [(repeated(x).tolist(), names) for x, names in subject.real.of(list(subject.unit_of))]
    except UserError as error:
        return [*found, Unmeasured(f"{NAME}/real", str(error))]
    units = [subject.unit_of[name] for _, names in batches for name in names]
    of_real = [value for values, _ in batches for value in values]
    return [*found, Numbers(f"{NAME}/real", of_real, units)]


def repeated(x: Tensor) -> Tensor:
    """(N,) in [0, 1] of pictures (N, C, S, S): the highest self-likeness over shifts, less the dip on the way there."""
    likeness, side = self_likeness(detail(x)), x.shape[-1]
    shifts = _shifts(side)
    there = _at(likeness, shifts)
    dip = torch.stack([_at(likeness, (shifts * part).round().long()) for part in BETWEEN]).amin(0).clamp_min(0)
    return (there - dip).amax(1).clamp(0, 1)


def detail(x: Tensor) -> Tensor:
    """(N, S, S), float64: the mean of the channels, less what is coarser than `BLUR` leaves."""
    grey = x.double().mean(1, keepdim=True)
    std = max(x.shape[-1] / BLUR, 1)
    reach = int(2 * std)
    bell = torch.exp(-(torch.arange(-reach, reach + 1, dtype=grey.dtype) ** 2) / (2 * std**2))
    bell = bell / bell.sum()
    padded = F.pad(grey, (reach,) * 4, mode="reflect")
    return (grey - F.conv2d(F.conv2d(padded, bell.view(1, 1, -1, 1)), bell.view(1, 1, 1, -1)))[:, 0]


def self_likeness(x: Tensor) -> Tensor:
    """(N, 2S, 2S) of x (N, S, S): by the shift, modulo 2S, the correlation of the two parts that overlap, -1 to 1.

    A plain picture, which has no detail, is like nothing: 0.
    """
    size = (2 * x.shape[-1],) * 2
    there = torch.fft.rfft2(torch.ones_like(x[:1]), s=size)
    values, squares = torch.fft.rfft2(x, s=size), torch.fft.rfft2(x**2, s=size)
    both = torch.fft.irfft2(values.conj() * values, s=size)
    moved = torch.fft.irfft2(there.conj() * squares, s=size)
    left = torch.fft.irfft2(squares.conj() * there, s=size)
    least = x.square().sum((1, 2)).clamp_min(1e-9)[:, None, None] * 1e-3  # an overlap without detail tells nothing
    return both / (moved.clamp_min(0) * left.clamp_min(0)).sqrt().clamp_min(least)


def _shifts(side: int) -> Tensor:
    """(shifts, 2), down and right, in pixels: half of them, as the others are the same ones backwards."""
    reach = torch.arange(-(side // FARTHEST), side // FARTHEST + 1)
    down, right = torch.meshgrid(reach[reach >= 0], reach, indexing="ij")
    far = torch.maximum(down, right.abs()) >= max(side // NEAREST, 1)
    return torch.stack([down[far], right[far]], 1)


def _at(likeness: Tensor, shifts: Tensor) -> Tensor:
    """(N, shifts) of the likeness (N, 2S, 2S)."""
    return likeness[:, shifts[:, 0], shifts[:, 1]]
