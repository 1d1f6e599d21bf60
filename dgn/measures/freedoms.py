"""What a method can do to a picture: the change that its codes make, and codes whose change stays within a bound."""

import torch
from torch import Tensor, nn

from dgn.generators.base import Generator
from dgn.synthesis.priors import Prior

TRIES = 8  # of pulling a code back; a generator is nearly linear over small changes, so one or two are enough
SLACK = 2e-3  # of the bound, by which a code is pulled back further than needed, so that rounding leaves it within


class Changed(Generator):
    """Pictures as codes change them: x + G(y) − G(y₀), clipped to [0, 1]. At the start y₀ they are as they were.

    So any generator is a freedom over any picture of its size, also one that it cannot draw itself. For a picture of
    its own, x = G(y₀), the sum is G(y).

    Args:
        generator: G, what moves the picture.
        pictures: x, (N, C, H, W) in [0, 1].
        start: y₀, (N, *code_shape).

    Attributes:
        start: y₀.
    """

    pictures: Tensor
    start: Tensor
    before: Tensor

    def __init__(self, generator: nn.Module, pictures: Tensor, start: Tensor) -> None:
        super().__init__()
        self.generator, self.args = generator, {}
        self.code_shape, self.size = tuple(start.shape[1:]), pictures.shape[-1]
        self.register_buffer("pictures", pictures, persistent=False)
        self.register_buffer("start", start, persistent=False)
        with torch.no_grad():
            self.register_buffer("before", generator(start), persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """(N, *code_shape) to pictures (N, C, H, W) in [0, 1]."""
        return (self.pictures + self.change(codes)).clamp(0, 1)

    def change(self, codes: Tensor) -> Tensor:
        """G(y) − G(y₀), (N, C, H, W), in full precision: bf16 alone would move a picture by half a per cent."""
        with torch.autocast(codes.device.type, enabled=False):
            return self.generator(codes) - self.before

    def rms(self, codes: Tensor) -> Tensor:
        """The root mean square of each picture's change, (N,); 1 is the range from black to white."""
        return self.change(codes).flatten(1).square().mean(1).sqrt()

    @torch.no_grad()
    def unit(self, bound: float, seed: int = 0) -> float:
        """The standard deviation of noise on the codes that changes pictures by about `bound`, rms."""
        random = torch.Generator().manual_seed(seed)
        noise = torch.randn(self.start.shape, generator=random).to(self.start)
        small = 1e-3 * float(self.start.std()) or 1e-3  # a start of zeros has no scale of its own
        return bound * small / float(self.rms(self.start + small * noise).mean())


class Within(Prior):
    """Codes that change a picture by at most `bound`, rms: pulled back to the start on a straight line.

    The method's own range of codes is not kept: this is more freedom than the method has.
    """

    def __init__(self, changed: Changed, bound: float) -> None:
        nn.Module.__init__(self)
        self.changed, self.bound = changed, bound

    def apply_to(self, code: Tensor) -> Tensor:
        """The codes whose change is within the bound as they are, the others nearer to the start."""
        start, rows = self.changed.start, (-1, *[1] * (code.ndim - 1))
        for _ in range(TRIES):
            size = self.changed.rms(code)
            if bool((size <= self.bound).all()):
                return code
            shrink = torch.where(size > self.bound, (1 - SLACK) * self.bound / size, 1)
            code = start + shrink.view(rows) * (code - start)
        return torch.where((self.changed.rms(code) <= self.bound).view(rows), code, start)


class LinearFourier(Generator):
    """G for codes that are the Fourier coefficients of an image over 1/f, (N, channels, size, size // 2 + 1, 2).

    Changes of codes add up to changes of the image: unlike `generators.spectral.Fourier` it ends in no sigmoid.

    The spectra of photographs fall with 1/f, so a step of one size everywhere moves what photographs vary in (Olah et
    al. 2017).

    Args:
        size: side of the image, pixels.
        channels: of the image.
    """

    scale: Tensor

    def __init__(self, *, size: int, channels: int) -> None:
        super().__init__()
        self.args = {"size": size, "channels": channels}
        self.code_shape, self.size = (channels, size, size // 2 + 1, 2), size
        frequency = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None])
        self.register_buffer("scale", 1 / frequency.clamp_min(1 / size), persistent=False)

    def forward(self, code: Tensor) -> Tensor:
        return torch.fft.irfft2(self.scale * torch.view_as_complex(code.contiguous()), s=(self.size, self.size),
                                norm="ortho")  # fmt: skip
