"""Where G and the moments of its code come from: a bundle, or any decoder with moments measured or given."""

from collections.abc import Mapping, Sequence
from os import fspath
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dgn.base.errors import UserError
from dgn.generators import Generator, bundle
from dgn.generators.bundle import Bundle
from dgn.generators.decoder import Decoder, given, measured
from dgn.networks import weights, zoo


def load_bundle(name: Path | str) -> Bundle:
    """A trained prior: one that ships with dgn, by its name, or a file that train.py wrote. UserError for neither."""
    return bundle.load(bundle.find(fspath(name)))


def load_prior(config: Mapping[str, Any]) -> Bundle:
    """The generator of the config, or the bundle's where it names none."""
    node = config["generator"]
    if "_target_" not in node:
        return bundle.load(bundle.find(config["bundle"], config["inverts"]))
    codes = None
    if node["codes"]:
        path = weights.find(node["codes"])
        held = weights.read(path)
        if "codes" not in held and len(held) != 1:
            raise UserError(f"{path} holds {len(held)} tensors: call the real codes 'codes'")
        codes = held.get("codes", next(iter(held.values())))
    about = node["moments"]
    return decoder(zoo.frozen(node), codes, about["shape"], about["mean"], about["std"], about["signed"], node["range"])


def decoder(
    network: nn.Module,
    codes: Tensor | None = None,
    shape: Sequence[int] | None = None,
    mean: float = 0.0,
    std: float = 1.0,
    signed: bool = True,
    range: Sequence[float] = (0, 1),
) -> Bundle:
    """A prior from any decoder.

    Args:
        network: codes (N, ...) to images (N, C, H, W).
        codes: real codes (M, ...), on which the moments are measured; without them the next four give the moments.
        shape: of one code.
        mean, std: of every element.
        signed: whether codes may be negative.
        range: what the network gives for black and for white.

    Raises UserError where the moments are neither measured nor given, or the network does not take such codes.
    """
    if isinstance(network, Generator) and codes is None and hasattr(network, "moments"):
        own: Any = network
        own.eval()
        own.requires_grad_(False)
        return Bundle(own, own.moments(), torch.empty(0, *own.code_shape), {})
    if codes is None and not shape:
        raise UserError("nothing is known of this generator's codes: type generator.codes=FILE of real ones, or "
                        "'generator.moments.shape=[128]' for codes of mean 0 and std 1")  # fmt: skip
    if len(range) != 2 or range[0] == range[1]:
        raise UserError(f"generator.range={list(range)} is not what it gives for black and for white: type "
                        "'generator.range=[-1,1]'")  # fmt: skip
    if codes is None and not isinstance(shape, Sequence):
        raise UserError(f"generator.moments.shape={shape} is no list: type 'generator.moments.shape=[{shape}]'")
    if codes is None:
        moments, codes = given(list(shape or ()), mean, std, signed), torch.empty(0, *(shape or ()))
    else:
        codes = codes.float()
        moments = measured(codes)
    return Bundle(Decoder(network, codes.shape[1:], *range), moments, codes, {})


def name(config: Mapping[str, Any]) -> str:
    """What the page calls the generator."""
    kind = config["generator"].get("_target_")
    if kind:
        return kind.rpartition(".")[2].lower()
    return bundle.find(config["bundle"], config["inverts"]).name.removesuffix(".bundle.safetensors")
