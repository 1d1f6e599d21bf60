"""A stand-in for a user's own network: images of five shapes, and two small classifiers of different build."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn
from torch.nn import functional as F

CLASSES = ("circle", "dots", "square", "stripes", "triangle")
SIDE = 64  # px
MEAN, STD = 0.5, 0.25  # what both networks subtract and divide by


def block(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    """A convolution of stride 2 with batch norm and ReLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, 2, kernel // 2)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class ShapeNet(nn.Sequential):
    """The network under study: three convolutions to a map of 96 × 8 × 8, a linear layer of 128, the classes."""

    def __init__(self, classes: int = len(CLASSES)) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = block(3, 24, 5), block(24, 48), block(48, 96)
        self.flat = nn.Flatten()
        self.fc1, self.relu, self.drop = nn.Linear(96 * 8 * 8, 128), nn.ReLU(), nn.Dropout(0.3)
        self.fc2 = nn.Linear(128, classes)


class Residual(nn.Module):
    """Two convolutions beside a straight way."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.body(x))


class SecondNet(nn.Sequential):
    """A classifier that takes no part: residual, averaged over positions. It stands for a person who names pictures."""

    def __init__(self, classes: int = len(CLASSES)) -> None:
        stages = [(block(inputs, outputs), Residual(outputs)) for inputs, outputs in ((3, 16), (16, 32), (32, 64))]
        head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))
        super().__init__(*(layer for stage in stages for layer in stage), *head)


def draw(kind: str, random: np.random.Generator) -> Image.Image:
    """One image: a shape or a pattern of any size, place, angle and two colours apart, with a little noise."""
    colours = random.integers(0, 256, (2, 3))
    while np.abs(colours[0] - colours[1]).sum() < 200:
        colours = random.integers(0, 256, (2, 3))
    ground, colour = (tuple(map(int, one)) for one in colours)
    image = Image.new("RGB", (2 * SIDE, 2 * SIDE), ground)
    pen, angle, radius = ImageDraw.Draw(image), float(random.uniform(0, 360)), int(random.integers(24, 48))
    x, y = (int(random.integers(radius, 2 * SIDE - radius)) for _ in range(2))
    if kind == "circle":
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), colour)
    elif kind in ("square", "triangle"):
        pen.regular_polygon((x, y, radius), 4 if kind == "square" else 3, angle, colour)
    elif kind == "stripes":
        across = (
            np.cos(np.radians(angle)) * np.arange(2 * SIDE) + np.sin(np.radians(angle)) * np.arange(2 * SIDE)[:, None]
        )
        image.paste(colour, mask=Image.fromarray(across // int(random.integers(6, 14)) % 2 > 0))
    else:
        step = int(random.integers(16, 30))
        size, shift = step * float(random.uniform(0.2, 0.35)), random.integers(0, step, 2)
        for left in range(int(shift[0]), 2 * SIDE + step, step):
            for top in range(int(shift[1]), 2 * SIDE + step, step):
                pen.ellipse((left - size, top - size, left + size, top + size), colour)
    pixels = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)) + random.normal(0, 6, (SIDE, SIDE, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def make(root: Path, each: int = 600) -> None:
    """Write the images into folders of their classes below `train`, `each` a class, and `val`, a tenth of it."""
    random = np.random.default_rng(0)
    for part, count in (("train", each), ("val", each // 10)):
        for kind in CLASSES:
            folder = root / part / kind
            folder.mkdir(parents=True, exist_ok=True)
            for i in range(count):
                draw(kind, random).save(folder / f"{i:04}.png")


def load(folder: Path) -> tuple[Tensor, Tensor]:
    """The images below a folder of classes, (N, 3, 64, 64) in [0, 1], and their labels."""
    files = [(path, k) for k, one in enumerate(sorted(folder.iterdir())) for path in sorted(one.iterdir())]
    pixels = np.stack([np.asarray(Image.open(path).convert("RGB").resize((SIDE, SIDE))) for path, _ in files])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255, torch.tensor([k for _, k in files])


def normalised(images: Tensor) -> Tensor:
    """Images in [0, 1] to what the networks take."""
    return (images - MEAN) / STD


def fitted(kind: Callable[[int], nn.Module], images: Tensor, labels: Tensor, epochs: int, seed: int) -> nn.Module:
    """A new network of this kind, trained on the images."""
    torch.manual_seed(seed)
    network = kind(int(labels.max()) + 1)
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(images)).split(64):
            optimiser.zero_grad()
            F.cross_entropy(network(normalised(images[rows])), labels[rows]).backward()
            optimiser.step()
    return network.eval()


@torch.no_grad()
def right(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of the images that a network names, in %."""
    named = torch.cat([network(normalised(some)).argmax(1) for some in images.split(100)])
    return 100 * float((named == labels).float().mean())
