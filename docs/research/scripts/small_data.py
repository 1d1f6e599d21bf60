"""How far does `dgn train` come with a few thousand images? `python docs/research/scripts/small_data.py OUT`

Draws shapes (`--set digits`: scikit-learn's digits; `--root DIR`: other images, with a folder a class in train and val),
trains a small classifier on them and a second one that takes no part. Then for each layer the prior that `dgn train` makes
with its defaults, and a plain decoder of the same code: the same G with the squared error of pixels alone. OUT/TABLE.csv
keeps the numbers, OUT/LAYER-KIND/*.png shows reconstructions and pictures of the classes.
"""

import argparse
import csv
import time
from pathlib import Path

import priors
import shapes
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

import dgn
from dgn.base import images as pictures_of
from dgn.measures.intervals import wilson

PART = 8  # px: images averaged over parts of this side show colour and place, not shape
PLAIN = ("generator.widths=[128,64,32,16]", "module.optimiser_g.lr=1e-3", "init=null")


def digits(root: Path) -> None:
    """Write scikit-learn's digits, brought from 8 to 64 px, into folders of their classes; every sixth is held out."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    for i, (image, label) in enumerate(zip(bunch.images, bunch.target, strict=True)):
        folder = root / ("val" if i % 6 == 0 else "train") / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        grey = Image.fromarray((image * 255 / 16).astype("uint8"))
        grey.resize((shapes.SIDE, shapes.SIDE), Image.Resampling.BICUBIC).save(folder / f"{i:04}.png")


def parts(images: Tensor) -> Tensor:
    """Images (N, 3, H, W) averaged over parts."""
    return F.avg_pool2d(images, PART)
