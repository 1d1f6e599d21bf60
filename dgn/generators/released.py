"""The nine generators that Dosovitskiy & Brox (2016) released, from torch state dicts with the names of Caffe's layers.

Each inverts a layer of CaffeNet; its layers are in conf/generator/deepsim.yaml. A file has a weight and a bias for each
layer, the up-convolutions too, whose biases were not trained and are zero. Some names carry an extra `.1.`.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor

from dgn.base.errors import UserError, nearest
from dgn.base.folders import CONF
from dgn.generators import deepsim
from dgn.generators.deepsim import Deepsim
from dgn.networks import weights
from dgn.networks.matching import shortened

ENCODER, SIZE = "caffenet", 227  # the network that they invert, and the side of its input, pixels
LICENCE = "non-commercial use, as the authors of the generators (Dosovitskiy & Brox 2016) state"
CODES = {
    "norm1": (96, 27, 27),
    "norm2": (256, 13, 13),
    "conv3": (384, 13, 13),
    "conv4": (384, 13, 13),
    "pool5": (256, 6, 6),
    "fc6": (4096,),
    "fc6_eucl": (4096,),  # for fc6, trained without the adversarial loss
    "fc7": (4096,),
    "fc8": (1000,),
}  # the shape of a code, by the name of the generator
LINEAR = ("defc7", "defc6", "defc5")
STEM = ("Rconv6", "Rconv7", "Rconv8")
PAPERS = ("deconv5", "conv5_1", "deconv4", "conv4_1", "deconv3", "conv3_1", "deconv2", "deconv1", "deconv0")
CONV = ("deconv5", "conv5_1", "deconv4", "conv4_1", "deconv3", "conv3_1", "deconv2", "conv2_1", "deconv1", "conv1_1")


def encoder_layer(name: str) -> str:
    """The layer of CaffeNet that a generator inverts. UserError if there is no such generator."""
    if name not in CODES:
        raise UserError(f"there is no released generator {name!r}: {nearest(name, CODES)}")
    return name.removesuffix("_eucl")


def generator(path: Path, name: str, size: int | None = None) -> Deepsim:
    """The generator `name` with the weights of a published file, fp32.

    Biases of up-convolutions are left out where they are all zero.

    Args:
        path: of the state dict.
        name: one of `CODES`.
        size: side of the image, pixels, the centre of what the layers make; None for the whole.

    Raises UserError, one sentence, for another file, a tensor that is missing or of another shape, another layer's
    generator, NaN or inf, or a size above that of the layers.
    """
    tensors = {key.replace(".1.", "."): value for key, value in weights.read(path).items()}
    if problem := _problem(tensors, name):
        fitting = [other for other in CODES if not _problem(tensors, other)]
        if fitting:
            raise UserError(
                f"{path} is a generator for {' or '.join(fitting)}, not for {name}: set --layer {fitting[0]}"
            )
        raise UserError(f"{path} is not the released generator for {name}, because it {problem}: take "
                        f"upconvGAN_{name}.pt")  # fmt: skip
    words = _words(name)
    for layer, i in _places(name).items():
        if layer not in (*LINEAR, *STEM) and tensors[f"{layer}.bias"].any():
            words[i] += "+"
    side = max(deepsim.made_by(CODES[name], " ".join(words)))
    if size is not None and not 0 < size <= side:
        raise UserError(f"the generator for {name} makes images of {side} px: set --size to 1 to {side}")
    made = _built(name, words, size or side)
    own = made.state_dict()
    state = {key: tensors[published] for key, published in _published(made, name).items()}
    weights.refuse_infinite(path, made, state)
    made.load_state_dict({key: value.to(own[key].dtype) for key, value in state.items()}, assign=True)
    return made.to(memory_format=torch.channels_last).requires_grad_(False).eval()  # type: ignore[call-overload]


def _problem(tensors: Mapping[str, Tensor], name: str) -> str:
    """Why these tensors are not those of the generator `name`; empty if they are."""
    shapes = _shapes(name)
    if missing := [key for key in shapes if key not in tensors]:
        return f"has no {shortened(missing)}"
    if others := [key for key in tensors if key not in shapes]:
        return f"also has {shortened(others)}"
    wrong = [key for key, shape in shapes.items() if tuple(tensors[key].shape) != shape]
    return f"has {wrong[0]} of shape {tuple(tensors[wrong[0]].shape)}, not {shapes[wrong[0]]}" if wrong else ""


@cache
def _shapes(name: str) -> dict[str, tuple[int, ...]]:
    """The shapes of a published file's tensors, all biases included, by name."""
    words = _words(name)
    for i in _places(name).values():
        words[i] += "+"
    made = _built(name, words, 1)
    state = made.state_dict()
    return {published: tuple(state[key].shape) for key, published in _published(made, name).items()}


def _built(name: str, words: Sequence[str], size: int) -> Deepsim:
    """The generator without memory for its weights."""
    rest = {key: _released()[key] for key in ("norm", "slope", "code_scale")}
    table = _table(name)
    with torch.device("meta"):
        return Deepsim(code_shape=CODES[name], size=size, layers=" ".join(words), gains=table["gains"],
                       output=table["output"], **rest)  # fmt: skip


def _places(name: str) -> dict[str, int]:
    """Where the words of Caffe's layers are in the line of words."""
    first = LINEAR if len(CODES[name]) == 1 else STEM
    rest = CONV[2:] if name.startswith("norm") else CONV if name.startswith("conv") else PAPERS
    places = [i for i, word in enumerate(_words(name)) if not word[0].isdigit()]
    return dict(zip((*first, *rest), places, strict=True))


def _published(made: Deepsim, name: str) -> dict[str, str]:
    """The published name of each tensor of the generator."""
    keys = [key.rpartition(".") for key in made.state_dict()]
    layers = dict(zip(dict.fromkeys(layer for layer, *_ in keys), _places(name), strict=True))
    return {f"{layer}.{kind}": f"{layers[layer]}.{kind}" for layer, _, kind in keys}


def _words(name: str) -> list[str]:
    return _table(name)["layers"].split()


def _table(name: str) -> Any:
    return _released()["tables"][encoder_layer(name)]


@cache
def _released() -> Any:
    """The settings of the released generators; what a training adds to them is not resolved."""
    return OmegaConf.to_container(OmegaConf.load(CONF / "generator/deepsim.yaml"), resolve=False)
