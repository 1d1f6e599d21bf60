"""Time ways to read and to crop images, of a folder of JPEGs by class."""

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.io import decode_jpeg, read_file
from torchvision.transforms import v2

from dgn.base import images
from dgn.data import sources
from dgn.data.dataset import Augment


def compare(name: str, count: int, **ways: Callable[[], object]) -> None:
    """Print the least processor time an image of five rounds, and that of the other ways as a share of the first's."""
    least: dict[str, float] = {}
    for way in list(ways) * 5:
        begun = time.process_time()
        ways[way]()
        least[way] = min(least.get(way, 9.0), (time.process_time() - begun) / count)
    kept = next(iter(least.values()))
    print(f"{name}: {1e3 * kept:.3f} ms an image;", ", ".join(f"{way} {t / kept:.2f}" for way, t in least.items()))


def no_draft(path: str, size: int) -> np.ndarray:
    """PIL without draft mode."""
    rgb = Image.open(path).convert("RGB")
    side, (left, top) = min(rgb.size), ((side - min(rgb.size)) // 2 for side in rgb.size)
    return np.asarray(rgb.resize((size, size), Image.Resampling.BOX, (left, top, left + side, top + side)))


def resize_by_torch(path: str, size: int) -> torch.Tensor:
    """Read by PIL, resized by torch."""
    rgb = torch.from_numpy(np.array(images.load(path, size))).permute(2, 0, 1)
    return v2.functional.resize(v2.functional.center_crop(rgb, [min(rgb.shape[1:])]), [size], antialias=True)


def torchvision(path: str, size: int) -> torch.Tensor:
    """Read by torchvision, resized by torch."""
    return v2.functional.center_crop(v2.functional.resize(decode_jpeg(read_file(path)), [size], antialias=True), [size])


def gather(augment: Augment, batch: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """All crops by one index."""
    room, steps = batch.shape[1] - augment.crop + 1, np.arange(augment.crop)
    rows, columns = (np.floor(numbers[:, i : i + 1] * room).astype(int) + steps for i in (0, 1))
    columns = np.where(numbers[:, 2:3] < 0.5, columns[:, ::-1], columns)
    return batch[np.arange(len(batch))[:, None, None], rows[:, :, None], columns[:, None, :]]


def transforms(augment: Augment, batch: np.ndarray) -> torch.Tensor:
    """Transforms v2, each image with its own stream; otherwise a crop depends on which worker computes it."""
    both, cropped = v2.Compose([v2.RandomCrop(augment.crop), v2.RandomHorizontalFlip()]), []
    for i, image in enumerate(batch):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(i)
            cropped.append(both(torch.from_numpy(image).permute(2, 0, 1)))
    return torch.stack(cropped)


def every(way: Callable[[str, int], object], files: list[str], size: int) -> None:
    """Read all files in one way."""
    for file in files:
        way(file, size)


def main(root: str) -> None:
    """Print all figures of docs/research/data.md but the workers'."""
    torch.set_num_threads(1)
    files = [str(path) for path in sorted(Path(root).rglob("*.JPEG"))[:200]]
    for size in (64, 128, 256):
        ways = {"kept": images.load_centre} | {way.__name__: way for way in (no_draft, resize_by_torch, torchvision)}
        compare(f"reading at {size} px", len(files), **{n: partial(every, way, files, size) for n, way in ways.items()})
    for size, crop in ((64, 64), (256, 227)):
        batch, numbers = np.zeros((32, size, size, 3), np.uint8), np.random.default_rng(0).random((32, 4), np.float32)
        augment = Augment(crop, pad=0, flip=True, brightness=0)
        compare(f"cropping {crop} of {size} px", 32, kept=partial(augment, batch, numbers),
                gather=partial(gather, augment, batch, numbers),
                transforms_v2=partial(transforms, augment, batch))  # fmt: skip
    begun = time.perf_counter()
    train, val = sources.imagefolder(root, size=64, held_out=20)
    print(f"listing {len(train) + len(val)} files: {time.perf_counter() - begun:.2f} s")


if __name__ == "__main__":
    main(sys.argv[1])
