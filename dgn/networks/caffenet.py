"""CaffeNet at 227 px, the paper's encoder, and CaffeNet64, the same pattern at 64 px with batch norm.

Every layer up to fc7 is a block that ends in its ReLU. As an encoder's code it is read after the ReLU; as a target it
is scored before the ReLU (see `Features`), as in the released code.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from dgn.base.precision import full


def block(main: nn.Module, norm: nn.Module | None = None) -> nn.Sequential:
    """Convolution or linear layer, batch norm if any, ReLU."""
    parts = OrderedDict(main=main)
    if norm is not None:
        parts["norm"] = norm
    parts["relu"] = nn.ReLU()
    return nn.Sequential(parts)


class LocalResponseNorm(nn.Module):
    """x / (1 + alpha / size · Σ x²)^beta, the sum over the `size` nearest channels: `nn.LocalResponseNorm`.

    The sum as a 1 × 1 convolution with ones around the diagonal, which with its gradient takes a quarter of the time.
    """

    near: Tensor

    def __init__(self, channels: int, size: int, alpha: float, beta: float) -> None:
        super().__init__()
        self.scale, self.beta = alpha / size, beta
        number = torch.arange(channels)
        near = (number[:, None] - number).abs() <= size // 2
        self.register_buffer("near", near.float()[..., None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to the same, at least fp32."""
        squares = full(F.conv2d(x * x, self.near))
        return full(x) * (1 + self.scale * squares).pow(-self.beta)


class CaffeNet(nn.Sequential):
    """BVLC CaffeNet: (N, 3, 227, 227) BGR, 0-255, minus (104, 117, 123), to (N, classes). Released caffenet.prototxt.

    Convolution, ReLU, pool, then local response normalisation (AlexNet has the last two the other way round).
    """

    def __init__(self, classes: int = 1000) -> None:
        def lrn(channels: int) -> nn.Module:
            return LocalResponseNorm(channels, 5, alpha=1e-4, beta=0.75)

        super().__init__(
            OrderedDict(
                conv1=block(nn.Conv2d(3, 96, 11, 4)),
                pool1=nn.MaxPool2d(3, 2, ceil_mode=True),
                norm1=lrn(96),
                conv2=block(nn.Conv2d(96, 256, 5, padding=2, groups=2)),
                pool2=nn.MaxPool2d(3, 2, ceil_mode=True),
                norm2=lrn(256),
                conv3=block(nn.Conv2d(256, 384, 3, padding=1)),
                conv4=block(nn.Conv2d(384, 384, 3, padding=1, groups=2)),
                conv5=block(nn.Conv2d(384, 256, 3, padding=1, groups=2)),
                pool5=nn.MaxPool2d(3, 2, ceil_mode=True),
                flatten=nn.Flatten(),
                fc6=block(nn.Linear(256 * 6 * 6, 4096)),
                drop6=nn.Dropout(0.5),
                fc7=block(nn.Linear(4096, 4096)),
                drop7=nn.Dropout(0.5),
                fc8=nn.Linear(4096, classes),
            )
        )

    def own_names(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of a published file, whose names are Caffe's layers (`conv1.weight`), by their names here.

        Some published names carry an extra `.1.`. Other names stay.
        """
        published = re.compile(r"\b(conv[1-5]|fc[678])\.(?:1\.)?(weight|bias)$")

        def own(match: re.Match) -> str:
            return f"{match[1]}.{'' if match[1] == 'fc8' else 'main.'}{match[2]}"

        return {published.sub(own, name): value for name, value in tensors.items()}


class CaffeNet64(nn.Sequential):
    """CaffeNet's pattern at 64 px, with batch norm: (N, 3, 64, 64), standardised RGB, to (N, classes).

    pool5 is adaptive (to 4 × 4), so that training may start on smaller images. 4.2 M parameters with 200 classes;
    `width` multiplies every layer's channels.
    """

    def __init__(self, classes: int = 200, dropout: float = 0.3, width: Annotated[int, Field(ge=1)] = 1) -> None:
        def conv(cin: int, cout: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
            main = nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False)
            return block(main, nn.BatchNorm2d(cout))

        def fc(cin: int, cout: int) -> nn.Sequential:
            return block(nn.Linear(cin, cout, bias=False), nn.BatchNorm1d(cout))

        super().__init__(
            OrderedDict(
                conv1=conv(3, 64 * width, 5, 2),
                pool1=nn.MaxPool2d(3, 2, 1),
                conv2=conv(64 * width, 128 * width),
                pool2=nn.MaxPool2d(3, 2, 1),
                conv3=conv(128 * width, 192 * width),
                conv4=conv(192 * width, 192 * width),
                conv5=conv(192 * width, 128 * width),
                pool5=nn.AdaptiveMaxPool2d(4),
                flatten=nn.Flatten(),
                fc6=fc(128 * width * 4 * 4, 1024 * width),
                drop6=nn.Dropout(dropout),
                fc7=fc(1024 * width, 1024 * width),
                drop7=nn.Dropout(dropout),
                fc8=nn.Linear(1024 * width, classes),
            )
        )
        self.apply(_he)


def _he(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
