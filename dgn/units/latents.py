"""Latents of sparse autoencoders, from the files of three libraries.

A latent's pre-activation is what its encoder gives before ReLU, top-k or JumpReLU: w · (x − shift) + b. That is a
number plus the values along one direction of the layer. The names in the file say whose it is:

| library | tensors that are read |
| --- | --- |
| SAELens: standard, top-k, JumpReLU | `W_enc` (channels, latents), `b_enc`, `b_dec`; `cfg.json` beside it |
| sparsify, formerly sae | `encoder.weight` (latents, channels), `encoder.bias`, `b_dec`, `W_dec`; `cfg.json` |
| dictionary_learning: AutoEncoder, top-k, batch top-k | `encoder.weight`, `encoder.bias`, `bias` or `b_dec` |

`cfg.json` says whether b_dec is taken from x, and whether latents count as long as their decoders. Gated ones have two
encoders, and those that normalise x at run time are not linear: neither is read.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dgn.base.errors import UserError
from dgn.networks import weights

SAVED = "save it by SAELens, sparsify or dictionary_learning"


@dataclass(frozen=True)
class Encoder:
    """The encoder of a sparse autoencoder.

    Attributes:
        weight: (latents, channels).
        bias: (latents,).
        shift: (channels,) taken from the layer's values.
        path: of its file, for messages.
    """

    weight: Tensor
    bias: Tensor
    shift: Tensor
    path: Path

    def latent(self, number: int) -> tuple[Tensor, float]:
        """A latent's direction (channels,), float32, and what is added to the values along it."""
        if number >= len(self.weight):
            raise UserError(
                f"there is no latent {number} in {self.path}: set an index from 0 to {len(self.weight) - 1}"
            )
        direction = self.weight[number]
        return direction.float(), float(self.bias[number].double() - direction.double() @ self.shift.double())


def read(file: str, channels: int) -> Encoder:
    """The encoder in a file for a layer of so many channels.

    Raises UserError for a file that is no sparse autoencoder of the three libraries, or one of another width.
    """
    path = Path(os.path.expanduser(file))
    if not path.is_file():
        raise UserError(f"there is no file {path}: a latent needs an existing file before the # in the unit's text")
    encoder = _of(weights.read(path), path)
    shapes = [tuple(tensor.shape) for tensor in (encoder.weight, encoder.bias, encoder.shift)]
    if encoder.weight.ndim != 2 or shapes[1:] != [shapes[0][:1], shapes[0][1:]]:
        raise UserError(f"the encoder in {path} has a weight of {shapes[0]} and biases of {shapes[1]} and {shapes[2]}, "
                        f"which do not fit: {SAVED}")  # fmt: skip
    if shapes[0][1] != channels:
        raise UserError(f"the sparse autoencoder in {path} takes {shapes[0][1]} values, and this layer has {channels}: "
                        "set the layer that it was trained on")  # fmt: skip
    if not all(tensor.is_floating_point() and torch.isfinite(tensor).all() for tensor in
               (encoder.weight, encoder.bias, encoder.shift)):  # fmt: skip
        raise UserError(f"the encoder in {path} holds NaN, inf or whole numbers: {SAVED}")
    return encoder


def _of(tensors: Mapping[str, Tensor], path: Path) -> Encoder:
    if {"W_enc", "b_enc", "b_dec"} <= tensors.keys():
        about = _settings(path)
        if (how := about.get("normalize_activations", "none")) != "none":
            raise UserError(f"the sparse autoencoder in {path} normalises its input ({how}): fold that into its "
                            "weights (SAELens: fold_activation_norm_scaling_factor), and save it again")  # fmt: skip
        weight, bias, shift = tensors["W_enc"].mT, tensors["b_enc"], tensors["b_dec"]
        if about.get("rescale_acts_by_decoder_norm", False) and "W_dec" in tensors:
            norm = tensors["W_dec"].norm(dim=-1)
            weight, bias = weight * norm[:, None], bias * norm
        return Encoder(weight, bias, shift * bool(about.get("apply_b_dec_to_input", True)), path)
    if {"encoder.weight", "encoder.bias"} <= tensors.keys():
        weight, bias = tensors["encoder.weight"], tensors["encoder.bias"]
        if {"W_dec", "b_dec"} <= tensors.keys():
            return Encoder(weight, bias, tensors["b_dec"] * (not _settings(path).get("transcode", False)), path)
        for name in ("bias", "b_dec"):
            if "decoder.weight" in tensors and name in tensors:
                return Encoder(weight, bias, tensors[name], path)
    gated = " (a gated one has two encoders)" if {"b_gate", "gate_bias"} & tensors.keys() else ""
    raise UserError(f"{path} is no sparse autoencoder that is known{gated}: {SAVED}, as standard, top-k or JumpReLU")


def _settings(path: Path) -> dict[str, Any]:
    """What cfg.json beside a file says."""
    beside = path.with_name("cfg.json")
    try:
        about = json.loads(beside.read_text("utf-8"))
    except (OSError, ValueError):
        about = None
    if not isinstance(about, dict):
        raise UserError(f"{path} needs the cfg.json that was saved with it, which says how the input is shifted: put "
                        "it into the same folder")  # fmt: skip
    return about
