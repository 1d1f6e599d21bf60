"""Does repeated/detail order images and tilings rightly? python docs/research/scripts/repeated.py DIR [IMAGES]

DIR has val/CLASS/*.jpg. A tiling is a square of an image again and again, with noise over it, or with its tiles moved.
Prints the mean of each kind, and the chance that one of it has more than an image.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor

from dgn.base import images
from dgn.measures.repeated import repeated

SIDE, PERIODS = 64, (12, 16, 21, 28)


def tiling(x: Tensor, period: int, moved: int = 0) -> Tensor:
    """The middle square of each image (N, 3, S, S), repeated; each tile moved by up to `moved` pixels."""
    draw, first = torch.Generator().manual_seed(0), (SIDE - period) // 2
    out = torch.zeros_like(x)
    for top in range(0, SIDE, period):
        for left in range(0, SIDE, period):
            down, right = torch.randint(-moved, moved + 1, (2,), generator=draw).tolist()
            tile = x[:, :, first + down : first + down + period, first + right : first + right + period]
            out[:, :, top : top + period, left : left + period] = tile[:, :, : SIDE - top, : SIDE - left]
    return out


def main(folder: str, count: str = "500") -> None:
    """Print the table."""
    files = sorted(Path(folder, "val").glob("*/*"))
    chosen = files[:: max(1, len(files) // int(count))][: int(count)]
    x = torch.stack([images.read(path, SIDE)[0] for path in chosen])
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(1))
    kinds = {"images": x, "noise": noise, "mirrored halves": torch.cat([x[..., :32], x[..., :32].flip(-1)], -1)}
    for period in PERIODS:
        tiled = tiling(x, period)
        kinds |= {f"tiles of {period} px": tiled, f"tiles of {period} px, half noise": (tiled + noise) / 2,
                  f"tiles of {period} px, each moved by up to 2 px": tiling(x, period, 2)}  # fmt: skip
    found = {name: torch.cat([repeated(part) for part in one.split(64)]) for name, one in kinds.items()}
    for name, values in found.items():
        more = (values[:, None] > found["images"][None]).double().mean()
        print(f"{name:<48}{values.mean():.3f}  {100 * more:.1f} %")


main(*sys.argv[1:])
