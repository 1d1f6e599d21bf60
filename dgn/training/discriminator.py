"""D, conditioned on the code: is this image real?"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dgn.base import images
from dgn.base.errors import UserError
from dgn.base.precision import full


class Discriminator(nn.Module):
    """Convolutions over the image, linear layers over the code, both into a head (DeePSiM, released D).

    Args:
        code_shape: of one code; a map is flattened.
        size: of the images, pixels.
        convs: [channels, kernel, stride, padding] of each convolution.
        pool: whether the last map is averaged to one value a channel (the paper) or flattened.
        image: widths of linear layers between the map and the head.
        code: widths of the linear layers on the code; if empty, D does not see the code.
        head: widths of the hidden layers on both.
        outputs: 2 for the log-loss, 1 for the hinge.
        dropout: before each layer of the head.
        slope: of the ReLUs; 0 in the paper.
        spectral: whether every layer is spectrally normalised.
        caffe: whether images are brought to BGR minus the mean in 0-255 (the paper) or to RGB in [−1, 1].

    UserError if the convolutions outrun the image.
    """

    def __init__(
        self,
        *,
        code_shape: Sequence[int],
        size: int | Sequence[int],
        convs: Sequence[Sequence[int]],
        pool: bool,
        image: Sequence[int],
        code: Sequence[int],
        head: Sequence[int],
        outputs: int,
        dropout: float,
        slope: float,
        spectral: bool,
        caffe: bool,
    ) -> None:
        super().__init__()
        self.caffe = caffe

        def act() -> nn.Module:
            return nn.LeakyReLU(slope) if slope else nn.ReLU()

        def linears(widths: Sequence[int], before: float = 0.0) -> list[nn.Module]:
            layers: list[nn.Module] = []
            for cin, cout in pairwise(widths):
                layers += [nn.Dropout(before)] * bool(before) + [nn.Linear(cin, cout), act()]
            return layers

        layers: list[nn.Module] = []
        width = 3
        sides: tuple[int, ...] = images.sides(size)
        for cout, kernel, stride, padding in convs:
            layers += [nn.Conv2d(width, cout, kernel, stride, padding), act()]
            width, sides = cout, tuple((side + 2 * padding - kernel) // stride + 1 for side in sides)
            if min(sides) < 1:
                raise UserError(f"images of {images.px(size)} are too small for discriminator.convs: set "
                                "discriminator=small, other discriminator.convs or a larger data.crop")  # fmt: skip
        layers += [nn.AdaptiveAvgPool2d(1)] * pool + [nn.Flatten()]
        flat = width if pool else width * math.prod(sides)
        self.image = nn.Sequential(*layers, *linears([flat, *image]))
        flat = image[-1] if image else flat
        self.code = nn.Sequential(nn.Flatten(), *linears([math.prod(code_shape), *code])) if code else None
        both = flat + (code[-1] if code else 0)
        self.head = nn.Sequential(*linears([both, *head, outputs], dropout)[:-1])
        self._initialise()
        if spectral:
            for module in list(self.modules()):
                if isinstance(module, nn.Conv2d | nn.Linear):
                    spectral_norm(module)
        self.to(memory_format=torch.channels_last)

    def _initialise(self) -> None:
        """He normal; the first convolution and the head at a tenth of it, as released with DeePSiM."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(cast(Tensor, module.bias))
        for module in (self.image[0], *(m for m in self.head if isinstance(m, nn.Linear))):
            with torch.no_grad():
                cast(Tensor, module.weight).mul_(0.1)

    def forward(self, image: Tensor, code: Tensor) -> Tensor:
        """Images in [0, 1], (N, 3, height, width), and codes of the real images, to logits (N, outputs)."""
        seen = self.image(images.to_caffe(image) if self.caffe else 2 * image - 1)
        if self.code is not None:
            seen = torch.cat([seen, self.code(code)], 1)
        return full(self.head(seen))
