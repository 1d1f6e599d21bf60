"""The code cache: E's codes of all training images, computed once, because E is frozen."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from dgn import data
from dgn.base import lightning
from dgn.base.errors import UserError
from dgn.base.files import alone, whole
from dgn.networks.features import Features
from dgn.training.settings import GeneratorSettings

SAMPLE = 1000  # training images whose pixels are hashed


class Kept:
    """The codes of the training images by index, in a memory-mapped fp16 file.

    Args:
        path: a .npy of (images, *code_shape).
    """

    def __init__(self, path: Path) -> None:
        self.codes = np.load(path, mmap_mode="r")

    def __call__(self, index: Tensor) -> Tensor:
        """Indices (N,) to codes (N, *code_shape), fp32, on the indices' device."""
        return torch.from_numpy(self.codes[index.cpu().numpy()]).float().to(index.device)

    def batches(self) -> Iterator[Tensor]:
        """All codes of images that could be read, in order."""
        for index in torch.arange(len(self.codes)).split(data.BATCH):
            codes = self(index)
            yield codes[codes.flatten(1).isfinite().all(1)]


def keep(encoder: Features, datamodule: data.DataModule, config: GeneratorSettings) -> Kept | None:
    """The codes of `encoder`'s first layer in the folder `config.code_cache`, computed if missing; None without one.

    An interrupted computation resumes. UserError if images are augmented, because a code belongs to one exact image.
    """
    if not config.code_cache:
        return None
    augment = datamodule.train.augment
    if augment.pad or augment.flip or augment.brightness or augment.crop != datamodule.train.source.size:
        raise UserError("code_cache works only without augmentation: set augment.flip=false augment.pad=0 "
                        "augment.brightness=0, and data.crop equal to data.resize")  # fmt: skip
    path = Path(config.code_cache).expanduser() / name(encoder, datamodule, config) / "codes.npy"
    if not path.exists():  # one run computes, the others wait
        with alone(path.parent, f"waiting for another run, which is computing the codes in {path.parent}"):
            if not path.exists():
                _fill(path, encoder, datamodule, config)
    print(f"codes of {len(datamodule.train):,} images: {path}")
    return Kept(path)


def name(encoder: Features, datamodule: data.DataModule, config: GeneratorSettings) -> str:
    """The folder of the codes: E's name and layer, and 16 hexadecimal digits of a hash of what the codes depend on.

    That is E's weights in memory (a class may load its own), its layer and preprocessing, the precision, every image's
    name, and the pixels of a thousand images, spread evenly.
    """
    network, source = config.encoder, datamodule.train.source
    about = [network.builder, network.args, network.layer, network.input.plain(), source.size]
    digest = hashlib.sha256(json.dumps([*about, config.trainer["precision"]]).encode())
    for tensor in encoder.state_dict().values():
        digest.update(tensor.cpu().numpy().tobytes())
    for index in range(len(source)):
        digest.update(source.name(index).encode())
    for images, *_ in datamodule.plain(SAMPLE):
        digest.update(images.numpy().tobytes())
    return f"{network.name}-{network.layer}-{digest.hexdigest()[:16]}"


def _nothing(path: Path, shape: tuple[int, ...]) -> None:
    """A .npy of fp16 NaN, written row by row: a full disk is an error here; in a memory-mapped file it is a crash."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f2", "fortran_order": False, "shape": shape})
        row = np.full(shape[1:], np.nan, np.float16).tobytes()
        for _ in range(shape[0]):
            file.write(row)


@torch.no_grad()
def _fill(path: Path, encoder: Features, datamodule: data.DataModule, config: GeneratorSettings) -> None:
    """Write the codes to `path`. Until all are there, they are in a file beside it, in which NaN marks a missing one.

    The row of an unreadable image stays NaN: training replaces that image by another, with the other's index.
    """
    part, count = path.with_name("unfinished.npy"), len(datamodule.train)
    device = torch.device(lightning.device(config.trainer["accelerator"]))
    half = config.trainer["precision"].startswith("bf16")
    encoder.to(device)
    if not part.exists():
        some, *_ = next(datamodule.plain(128))
        shape = encoder(some[:1].to(device)).shape[1:]
        with whole(part) as empty:
            _nothing(empty, (count, *shape))
    table = np.lib.format.open_memmap(part, "r+")
    todo = np.flatnonzero(np.isnan(table.reshape(count, -1)[:, -1]))
    batches = datamodule.in_order(todo)
    for images, _, index in track(batches, "computing codes, once", total=-(-len(todo) // data.BATCH), transient=True):
        with torch.autocast(device.type, torch.bfloat16, half):
            codes = encoder(images.to(device)).cpu().half().numpy()
        if not np.isfinite(codes).all():
            raise UserError("a code overflows fp16, the format of the code cache: set code_cache=null")
        table[index.numpy()] = codes
    table.flush()
    part.rename(path)
