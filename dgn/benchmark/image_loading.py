"""Speed of the data loader alone; training does not wait for data if it is slower than this."""

import time
from collections.abc import Iterator

from dgn import data
from dgn.data.workers import count, readers
from dgn.training.settings import TrainSettings

SECONDS = 10.0  # a line


def bench(config: TrainSettings) -> Iterator[str]:
    """The loader with its workers, without, and from memory where the images fit: a line each."""
    module = data.build(config.data, config.augment, config.seed)
    images = module.train
    yield (f"{module.name}: {len(images)} images, {images.augment.crop} of {images.source.size} px, "
           f"in batches of {module.batch_size}")  # fmt: skip
    fits, images.fits = images.fits, False
    workers = count(module.workers, readers())
    for number, name in ((workers, f"with {workers} workers"), (0, "without workers")):
        module.workers = number
        yield f"reading {name}: {speed(module):.0f} images/s"
    images.fits = fits
    if fits:
        yield f"reading from memory (they fit data.memory_gib): {speed(module):.0f} images/s"


def speed(module: "data.DataModule") -> float:
    """Images a second of the training stream, once it runs."""
    batches = iter(module.train_dataloader())
    next(batches)
    begun, images, elapsed = time.perf_counter(), 0, 0.0
    while elapsed < SECONDS:
        images += len(next(batches)[0])
        elapsed = time.perf_counter() - begun
    return images / elapsed
