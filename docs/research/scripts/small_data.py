"""How far does `dgn train` come with a few thousand images? `python docs/research/scripts/small_data.py OUT`

Draws shapes (`--digits`: scikit-learn's digits; `--root DIR`: other images, with a folder a class in train and val),
trains a small classifier on them and a second one that takes no part. Then, for each of `--layers`, the prior that `dgn
train` makes with its defaults and `--words`, in the folder OUT/LAYER-NAME beside its pictures, which are made with
`--pictures` and `--seeds`; a copy of that folder under another NAME is trained on, or gets other pictures if its own
are deleted. OUT/numbers.csv keeps a line of each.
"""

import argparse
import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import priors
import shapes
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from dgn.base import images as convention
from dgn.generators.bundle import Bundle
from dgn.measures.intervals import Measure, share

PART = 8  # px: averaged over parts of this side, an image shows colour and place, not shape
SHOWN = 16  # held-out images beside their reconstructions


def digits(root: Path) -> None:
    """Write scikit-learn's digits, brought from 8 to 64 px, into folders of their classes; every sixth is held out."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    for i, (image, label) in enumerate(zip(bunch.images, bunch.target, strict=True)):
        folder = root / ("val" if i % 6 == 0 else "train") / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        grey = Image.fromarray((image * 255 / 16).astype("uint8"))
        grey.resize((shapes.SIDE, shapes.SIDE), Image.Resampling.BICUBIC).save(folder / f"{i:04}.png")


def named(network: nn.Module, images: Tensor, labels: Tensor) -> str:
    """The share of images that a network names, in %, with an interval over classes."""
    hits = [shapes.right(network, one[None], label[None]) > 0 for one, label in zip(images, labels, strict=True)]
    found: Measure = share("named", hits, [str(int(label)) for label in labels])
    return f"{100 * found.value:.0f} ({100 * found.low:.0f}-{100 * found.high:.0f})"


@torch.no_grad()
def reconstructed(prior: Bundle, net: nn.Module, images: Tensor, file: Path) -> Tensor:
    """G's reconstructions of images (N, 3, H, W); some are drawn beside the images."""
    encode = priors.encoder(prior, net)
    drawn = torch.cat([prior.generator(encode(some)) for some in images.split(50)]).clamp(0, 1)
    rows = torch.linspace(0, len(images) - 1, SHOWN).long()
    convention.save(file, convention.grid(torch.stack([images[rows], drawn[rows]], 1).flatten(0, 1), columns=8))
    return drawn


def measured(
    prior: Bundle, nets: dict[str, nn.Module], root: Path, folder: Path, words: Sequence[str], seeds: int
) -> dict[str, str]:
    """The numbers of one prior: of reconstructions of the held-out images, and of pictures of the classes.

    `words` are settings of the pictures, `seeds` how many of a class.
    """
    images, labels = shapes.load(root / "val")
    drawn = reconstructed(prior, nets["net"], images, folder / "reconstructions.png")
    more: dict[str, Any] = {"seeds": seeds, "batch_size": 40}
    if any(word.startswith("start=") for word in words):  # such a start encodes images
        more["start.encoder"] = priors.studied(root, folder.parent) | {"layer": prior.record["layer"]}
    made, wanted, relative = priors.pictures(prior, nets["net"], root, folder / "pictures", *words, **more)
    convention.save(folder / "pictures.png", convention.grid(made, columns=seeds))
    return {
        "pictures named": named(nets["second"], made, wanted),
        "x best real": f"{relative:.2f}",
        "reconstructions named": named(nets["second"], drawn, labels),
        "unexplained: pixels": f"{priors.missed(images, drawn):.2f}",
        f"parts of {PART} px": f"{priors.missed(F.avg_pool2d(images, PART), F.avg_pool2d(drawn, PART)):.2f}",
        "observer": f"{prior.record['errors']['unexplained/observer']:.2f}",
    }


def main() -> None:
    """Every prior that OUT/numbers.csv lacks, then the table."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("out", type=Path)
    images = words.add_mutually_exclusive_group()
    images.add_argument("--digits", action="store_true")
    images.add_argument("--root", type=Path)
    words.add_argument("--layers", nargs="*", default=["fc1", "conv3"])
    words.add_argument("--name", default="default")
    words.add_argument("--words", nargs="*", default=[], help="of dgn train")
    words.add_argument("--pictures", nargs="*", default=[], help="words of dgn synthesize")
    words.add_argument("--seeds", type=int, default=3, help="pictures of a class")
    asked = words.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    root = asked.root or asked.out / "images"
    if not root.exists():
        (digits if asked.digits else shapes.make)(root)
    nets = priors.networks(root, asked.out)
    for name, network in nets.items():
        print(f"{name} names {named(network, *shapes.load(root / 'val'))} % of the held-out images", flush=True)
    file = asked.out / "numbers.csv"
    rows = list(csv.DictReader(file.open())) if file.exists() else []
    for layer in asked.layers:
        folder, began = asked.out / f"{layer}-{asked.name}", time.process_time()
        if folder.name in {row["prior"] for row in rows}:
            continue
        prior = priors.trained(folder.name, {"encoder.layer": layer}, root, asked.out, *asked.words)
        row = {"prior": folder.name, "minutes of one core": f"{(time.process_time() - began) / 60:.1f}"}
        rows.append(row | measured(prior, nets, root, folder, asked.pictures, asked.seeds))
        with file.open("w", newline="") as table:
            writer = csv.DictWriter(table, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    print(f"| {' | '.join(rows[0])} |\n|{' --- |' * len(rows[0])}")
    print("\n".join(f"| {' | '.join(row.values())} |" for row in rows))


if __name__ == "__main__":
    main()
