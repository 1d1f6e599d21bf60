"""What a judge recognises before and after an enlarger: of photographs, and of a finished run's pictures.

    python docs/research/scripts/enlarged.py ENLARGER JUDGE_WEIGHTS PHOTOS RUN

PHOTOS has a folder a class. Photographs are brought to 64 px and enlarged to 128, and brought to 128 px. The judge is
SqueezeNet 1.1. Prints top-1, top-5 and the mean log₂ rank.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dgn.base import images
from dgn.base.typed import validated
from dgn.evaluation import judge
from dgn.evaluation.judge import Judge
from dgn.generators import bundle
from dgn.measures.finished import Finished
from dgn.networks import class_names
from dgn.networks.settings import NetworkSettings
from dgn.settings import composed
from dgn.settings.run_file import plain


def photographs(folder: Path, side: int) -> tuple[Tensor, list[str]]:
    """The central squares, (N, 3, side, side) in [0, 1], and their classes."""
    files = sorted(path for path in folder.glob("*/*") if path.is_file())
    names = class_names.readable([path.parent.name for path in files])
    pixels = np.stack([images.load_centre(str(path), side) for path in files])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255, names


def say(what: str, eye: Judge, pictures: Tensor, wanted: Sequence[str | None]) -> None:
    """A row of a table."""
    found = [eye.ranks(pictures[i : i + 50], wanted[i : i + 50]) for i in range(0, len(pictures), 50)]
    places = np.array([rank for part in found for rank in part if rank is not None])
    top = [f"{100 * (places <= k).mean():.1f}" for k in (1, 5)]
    print(f"| {what} | {len(places)} | {' / '.join(top)} | {np.log2(places).mean():.2f} |")


@torch.no_grad()
def main(enlarger: str, weights: str, folder: str, run: str) -> None:
    """See the module."""
    words = ["network@encoder=squeezenet1_1", f"encoder.weights={weights}"]
    eye = judge.load(validated(NetworkSettings, plain(composed("train", words).config)["encoder"]), {})
    generator, made = bundle.load(Path(enlarger)).generator, Finished.read(Path(run))

    def enlarged(pictures: Tensor) -> Tensor:
        return torch.cat([generator(part).clamp(0, 1) for part in pictures.split(25)])

    small, names = photographs(Path(folder), 64)
    say("photographs, 64 px", eye, small, names)
    say("enlarged", eye, enlarged(small), names)
    say("at 128 px", eye, photographs(Path(folder), 128)[0], names)
    pictures = torch.cat(list(made.batches()))
    say("pictures", eye, pictures, made.classes)
    if pictures.shape[-1] == 64:
        say("the same, enlarged after the climb", eye, enlarged(pictures), made.classes)


if __name__ == "__main__":
    main(*sys.argv[1:])
