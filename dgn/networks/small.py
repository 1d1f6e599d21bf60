"""Small classifiers of 64-px images in patterns other than CaffeNet's: networks to study with CaffeNet64's generator.

Both take standardised RGB (N, 3, S, S), S a multiple of 16 (32 px and more), and return scores (N, classes).
"""

from collections import OrderedDict

from torch import Tensor, nn

from dgn.networks.caffenet import block

WIDTHS = (32, 64, 128, 256)


def conv(cin: int, cout: int, stride: int = 1) -> nn.Sequential:
    """3 × 3 convolution, batch norm, ReLU."""
    return block(nn.Conv2d(cin, cout, 3, stride, 1, bias=False), nn.BatchNorm2d(cout))


class Vgg64(nn.Sequential):
    """VGG's pattern: two 3 × 3 convolutions and a max-pool, four times (Simonyan & Zisserman 2015)."""

    def __init__(self, classes: int = 200, dropout: float = 0.3) -> None:
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        for i, (cin, cout) in enumerate(zip((3, *WIDTHS), WIDTHS, strict=False), 1):
            parts |= {f"conv{i}_1": conv(cin, cout), f"conv{i}_2": conv(cout, cout), f"pool{i}": nn.MaxPool2d(2)}
        parts["pool4"] = nn.AdaptiveMaxPool2d(4)  # training begins with smaller images
        parts |= {
            "flatten": nn.Flatten(),
            "fc5": block(nn.Linear(16 * WIDTHS[-1], 512, bias=False), nn.BatchNorm1d(512)),
            "drop5": nn.Dropout(dropout),
            "fc6": nn.Linear(512, classes),
        }
        super().__init__(parts)


class Residual(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut, then ReLU (He et al. 2016); 1 × 1 where the shape changes."""

    def __init__(self, cin: int, cout: int, stride: int) -> None:
        super().__init__()
        self.first = conv(cin, cout, stride)
        self.second = nn.Sequential(nn.Conv2d(cout, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout))
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or cin != cout:
            self.shortcut = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, S, S) to (N, cout, S / stride, S / stride)."""
        return self.relu(self.second(self.first(x)) + self.shortcut(x))


class ResNet64(nn.Sequential):
    """ResNet's pattern: four stages of two residual blocks, then the mean over positions (He et al. 2016)."""

    def __init__(self, classes: int = 200) -> None:
        parts: OrderedDict[str, nn.Module] = OrderedDict(stem=conv(3, WIDTHS[0], 2))
        for i, (cin, cout) in enumerate(zip((WIDTHS[0], *WIDTHS), WIDTHS, strict=False), 1):
            parts[f"stage{i}"] = nn.Sequential(Residual(cin, cout, 1 if i == 1 else 2), Residual(cout, cout, 1))
        parts |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "fc": nn.Linear(WIDTHS[-1], classes)}
        super().__init__(parts)
