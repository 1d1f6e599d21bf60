"""What may be shown to an eye: functions of G's picture, applied before the target sees it and to what is saved.

To add your own, write one subclass of `Stimulus`, and one YAML with its name and `_target_` in your own folder
`stimulus/`.
"""

import math
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dgn.base.errors import UserError
from dgn.base.typed import NotNegative, Positive, Share

Light = Literal["as_is", "linear"]
WEIGHTS = (0.2126, 0.7152, 0.0722)  # of red, green and blue in the luminance (ITU-R BT.709, and of sRGB)
LEAST = 1e-6  # a picture whose contrast is smaller is flat, and stays so


class Stimulus(nn.Module):
    """The base: pictures (N, C, H, W) in [0, 1] to the same, each by itself, differentiable. Override `apply_to`.

    Args:
        light: in which numbers it computes: "as_is", the values of the picture, which is right for a screen whose
            luminance is linear in them; or "linear", the light that an sRGB screen makes of them, 1 being its white.
    """

    def __init__(self, light: Light) -> None:
        super().__init__()
        self.light = light

    @staticmethod
    def describe(**settings: Any) -> str:
        """A clause for the page, from the settings of its YAML: "its … is …"."""
        return "was changed"

    def forward(self, pictures: Tensor) -> Tensor:
        """The pictures as they may be shown; values may leave [0, 1]."""
        if self.light == "as_is":
            return self.apply_to(pictures)
        return to_srgb(self.apply_to(to_linear(pictures)))

    def apply_to(self, pictures: Tensor) -> Tensor:
        """The pictures, in the numbers of `light`, as they may be shown."""
        raise NotImplementedError


class Grey(Stimulus):
    """Every pixel at its luminance, in all channels.

    Args:
        light: see `Stimulus`.
    """

    def __init__(self, *, light: Light) -> None:
        super().__init__(light)

    @staticmethod
    def describe(**settings: Any) -> str:
        return "is grey"

    def apply_to(self, pictures: Tensor) -> Tensor:
        return luminance(pictures).expand_as(pictures)


class Luminance(Stimulus):
    """The mean luminance over all pixels is `mean`: one number is added to all values of a picture.

    Args:
        mean: of 1, white.
        light: see `Stimulus`.
    """

    def __init__(self, *, mean: Share, light: Light) -> None:
        super().__init__(light)
        self.mean = mean

    @staticmethod
    def describe(**settings: Any) -> str:
        return f"has a mean luminance of {settings['mean']:g}"

    def apply_to(self, pictures: Tensor) -> Tensor:
        return pictures + (self.mean - luminance(pictures).mean((2, 3), keepdim=True))


class Contrast(Stimulus):
    """The RMS contrast, the standard deviation of the luminance over all pixels (Peli 1990), is `rms`.

    Deviations from the mean of each channel are multiplied by one number, so the mean colour stays.

    Args:
        rms: of 1, white.
        light: see `Stimulus`.
    """

    def __init__(self, *, rms: NotNegative, light: Light) -> None:
        super().__init__(light)
        self.rms = rms

    @staticmethod
    def describe(**settings: Any) -> str:
        return f"has an RMS contrast of {settings['rms']:g}"

    def apply_to(self, pictures: Tensor) -> Tensor:
        around = pictures.mean((2, 3), keepdim=True)
        now = root(luminance(pictures - around).square().mean((2, 3), keepdim=True))
        return around + (pictures - around) * (self.rms / now)


class Norm(Stimulus):
    """The Euclidean norm of the deviations from grey, over all pixels and channels, is `norm`.

    Args:
        norm: of a picture of the generator's size; all white has sqrt(C·H·W)·(1 − grey).
        grey: the value in all channels that counts as nothing, in [0, 1].
        light: see `Stimulus`.
    """

    def __init__(self, *, norm: NotNegative, grey: Share, light: Light) -> None:
        super().__init__(light)
        self.norm, self.grey = norm, grey

    @staticmethod
    def describe(**settings: Any) -> str:
        return f"deviates from the grey {settings['grey']:g} by a norm of {settings['norm']:g}"

    def apply_to(self, pictures: Tensor) -> Tensor:
        away = pictures - self.grey
        now = root(away.square().sum((1, 2, 3), keepdim=True))
        return self.grey + away * (self.norm / now)


class Range(Stimulus):
    """Values below `low` and above `high` are set to these; there is no gradient there.

    Args:
        low, high: in [0, 1].
        light: see `Stimulus`.

    Raises UserError unless low is below high.
    """

    def __init__(self, *, low: Share, high: Share, light: Light) -> None:
        super().__init__(light)
        if low >= high:
            raise UserError(f"stimulus=range has nothing between {low:g} and {high:g}: set low below high")
        self.low, self.high = low, high

    @staticmethod
    def describe(**settings: Any) -> str:
        return f"has values between {settings['low']:g} and {settings['high']:g}"

    def apply_to(self, pictures: Tensor) -> Tensor:
        return pictures.clamp(self.low, self.high)


class Aperture(Stimulus):
    """A disc of the picture on grey, with an edge that falls as a half period of a cosine.

    At a distance r from the centre the picture has the weight 1 up to the radius, 0 from radius + edge on, and between
    them (1 + cos(π · (r − radius) / edge)) / 2. Lengths are shares of the picture's side, between pixels' centres.

    Args:
        diameter: of the part with weight 1; all of the picture's width is 1.
        edge: width of the soft edge; 0 is a hard one.
        x, y: of the centre, from the left and from the top; 0.5 is the middle.
        grey: the value outside, in all channels, in [0, 1].
        light: see `Stimulus`.
    """

    def __init__(
        self,
        *,
        diameter: Positive,
        edge: NotNegative,
        x: Annotated[float, Field(ge=0, le=1)],
        y: Annotated[float, Field(ge=0, le=1)],
        grey: Share,
        light: Light,
    ) -> None:
        super().__init__(light)
        self.radius, self.edge, self.x, self.y, self.grey = diameter / 2, edge, x, y, grey

    @staticmethod
    def describe(**settings: Any) -> str:
        return f"is seen through a disc of {settings['diameter']:g} of its width"

    def apply_to(self, pictures: Tensor) -> Tensor:
        return self.grey + self.weight(pictures) * (pictures - self.grey)

    def weight(self, pictures: Tensor) -> Tensor:
        """(H, W) the picture's weight, from 0 to 1."""
        height, width = pictures.shape[2:]
        down = (torch.arange(height, device=pictures.device, dtype=pictures.dtype) + 0.5) / height - self.y
        across = (torch.arange(width, device=pictures.device, dtype=pictures.dtype) + 0.5) / width - self.x
        beyond = (down[:, None].square() + across.square()).sqrt() - self.radius
        if not self.edge:
            return (beyond <= 0).to(pictures)
        return (1 + (math.pi * (beyond / self.edge).clamp(0, 1)).cos()) / 2


def luminance(pictures: Tensor) -> Tensor:
    """(N, C, H, W) to (N, 1, H, W): the weighted sum of red, green and blue; of other channels the mean."""
    if pictures.shape[1] != len(WEIGHTS):
        return pictures.mean(1, keepdim=True)
    red, green, blue = pictures.split(1, 1)
    return WEIGHTS[0] * red + WEIGHTS[1] * green + WEIGHTS[2] * blue


def root(square: Tensor) -> Tensor:
    """The square root, `LEAST` or more: at 0 it has no slope."""
    return square.clamp_min(LEAST**2).sqrt()


def to_linear(values: Tensor) -> Tensor:
    """sRGB values to linear light (IEC 61966-2-1); values below 0 are 0."""
    values = values.clamp_min(0)
    return torch.where(values <= 0.04045, values / 12.92, ((values.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4)


def to_srgb(light: Tensor) -> Tensor:
    """The inverse of `to_linear`; light below 0 is black."""
    light = light.clamp_min(0)
    return torch.where(light <= 0.0031308, 12.92 * light, 1.055 * light.clamp_min(0.0031308) ** (1 / 2.4) - 0.055)
