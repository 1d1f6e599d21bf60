"""Pictures as inverse Fourier transforms with decorrelated colours: the priors of feature visualisation without a
trained generator (Olah et al. 2017; Fel et al. 2023).

Pictures have three channels. Everything is computed outside autocast: a bf16 product of colours would leave bands.
"""

from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import one_hot

from dgn.base.errors import UserError
from dgn.base.typed import Count, NotNegative
from dgn.generators.base import Generator
from dgn.generators.decoder import constant
from dgn.generators.moments import Moments
from dgn.networks import weights, weights_file

# A square root of the covariance of RGB in natural images, as published with Lucid (Olah et al. 2017): columns are the
# directions of brightness, blue against red, and green against both. Used divided by the longest column's length.
COLOURS = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
MAGNITUDE = "magnitude"  # the tensor in a file of a spectrum


def colour_matrix() -> Tensor:
    """(3, 3), float64, from decorrelated colours to RGB; its longest column has length 1."""
    root = torch.tensor(COLOURS, dtype=torch.float64)
    return root / root.norm(dim=0).max()


def mixed(pictures: Tensor, matrix: Tensor) -> Tensor:
    """The colours of each pixel (N, 3, H, W) times a matrix (3, 3)."""
    return torch.einsum("rc,nchw->nrhw", matrix.to(pictures.dtype), pictures)


def decorrelated(pictures: Tensor) -> Tensor:
    """RGB around 0 (N, 3, H, W) to decorrelated colours: the inverse of what the generators do."""
    return mixed(pictures, torch.linalg.inv(colour_matrix()))


def frequencies(size: int) -> Tensor:
    """(size, size // 2 + 1) the lengths of the frequencies of `rfft2`, cycles a pixel, float64."""
    down = torch.fft.fftfreq(size, dtype=torch.float64)[:, None]
    return torch.hypot(down, torch.fft.rfftfreq(size, dtype=torch.float64)[None])


def standardised(values: Tensor) -> Tensor:
    """Each row (N, ...) with mean 0 and standard deviation 1, as Horama does it."""
    over = tuple(range(1, values.ndim))
    values = values - values.mean(over, keepdim=True)
    return values / (values.std(over, keepdim=True) + 1e-4)


class Fourier(Generator):
    """G for codes that are Fourier coefficients, as in Lucid and Lucent (Olah et al. 2017, "preconditioning").

    The picture is sigmoid(C · F⁻¹(s · code) / 4): F⁻¹ the orthonormal inverse transform, s = 1 / f^decay with f at
    least one cycle a picture, C the colours. Codes are (N, 6, size, size // 2 + 1): three real parts, then three
    imaginary ones.

    Args:
        size: side of the image, pixels.
        decay: the exponent; 1 makes natural images' coefficients about equally large.
    """

    searched = "the Fourier coefficients of the picture, with decorrelated colours"
    scale: Tensor
    colours: Tensor

    def __init__(self, *, size: Count, decay: NotNegative) -> None:
        super().__init__()
        self.args = {"size": size, "decay": decay}
        self.code_shape, self.size = (6, size, size // 2 + 1), size
        scale = frequencies(size).clamp_min(1 / size) ** -decay / 4
        self.register_buffer("scale", scale.float(), persistent=False)
        self.register_buffer("colours", colour_matrix().float(), persistent=False)

    def forward(self, code: Tensor) -> Tensor:
        with torch.autocast(code.device.type, enabled=False):
            real, imaginary = code.chunk(2, 1)
            spectrum = torch.complex(real * self.scale, imaginary * self.scale)
            picture = torch.fft.irfft2(spectrum, (self.size, self.size), norm="ortho")
            return mixed(picture, self.colours).sigmoid()

    def moments(self) -> Moments:
        """Mean 0, standard deviation 1: of no real images, so `ascent.units=std` and absolute numbers are the same."""
        return constant(self.code_shape, mean=0, std=1, signed=True)


class Maco(Generator):
    """G for codes that are phases; the magnitudes are those of natural images (MACO, Fel et al. 2023, section 4).

    The picture is sigmoid(C · standardised(F⁻¹(magnitude · e^(i · standardised(code))))), C the colours. Each row is
    standardised by itself, over all its elements. Codes are (N, 3, size, size // 2 + 1).

    Args:
        size: side of the image, pixels.
        magnitude: the file of a spectrum, as `dgn data spectrum` writes it, or `asset:NAME` for one that ships;
            brought to `size`, see `resized`.
    """

    searched = "the phases of the picture's Fourier coefficients, whose magnitudes are those of natural images,"
    magnitude: Tensor
    colours: Tensor

    def __init__(self, *, size: Annotated[int, Field(ge=2)], magnitude: str) -> None:
        super().__init__()
        self.args = {"size": size, "magnitude": magnitude}
        self.code_shape, self.size = (3, size, size // 2 + 1), size
        self.register_buffer("magnitude", resized(read(magnitude), size))
        self.register_buffer("colours", colour_matrix().float(), persistent=False)

    def forward(self, code: Tensor) -> Tensor:
        with torch.autocast(code.device.type, enabled=False):
            phase = standardised(code)
            spectrum = torch.complex(phase.cos() * self.magnitude, phase.sin() * self.magnitude)
            picture = torch.fft.irfft2(spectrum, (self.size, self.size))
            return mixed(standardised(picture), self.colours).sigmoid()

    def moments(self) -> Moments:
        """Mean 0, standard deviation 1, to which phases are brought anyway."""
        return constant(self.code_shape, mean=0, std=1, signed=True)


def read(name: str) -> Tensor:
    """The magnitudes (3, S, S // 2 + 1) in a file; UserError if it holds none."""
    path: Path = weights_file.find(name, "generator.args.magnitude")
    magnitude = weights.read(path).get(MAGNITUDE)
    good = magnitude is not None and magnitude.ndim == 3 and len(magnitude) == 3
    if magnitude is None or not good or magnitude.shape[2] != magnitude.shape[1] // 2 + 1:
        raise UserError(f"{path} holds no spectrum: make one by dgn data spectrum FILE data.root=DIR")
    return magnitude.float()


def resized(magnitude: Tensor, size: int) -> Tensor:
    """Magnitudes (3, S, S // 2 + 1) for a picture of another side: linear between frequencies in cycles a pixel."""
    side, half = magnitude.shape[1:]
    if side == size:
        return magnitude
    down = _between(torch.fft.fftfreq(size, dtype=torch.float64) * side, side)
    across = _between(torch.fft.rfftfreq(size, dtype=torch.float64).clamp_max((half - 1) / side) * side, half)
    return (down @ magnitude.double() @ across.T).to(magnitude.dtype)


def _between(places: Tensor, count: int) -> Tensor:
    """(len(places), count) weights that interpolate between whole numbers, going round at `count`."""
    low = places.floor()
    share = (places - low)[:, None]
    first, second = (one_hot((low.long() + step) % count, count).double() for step in (0, 1))
    return first * (1 - share) + second * share
