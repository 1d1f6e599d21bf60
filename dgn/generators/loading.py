"""Load G and the moments of its code from a bundle, or from any decoder with measured or given moments."""

from collections.abc import Mapping, Sequence
from math import isfinite
from os import fspath
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from dgn.base.errors import UserError, first_line
from dgn.generators import bundle, kinds, lookup
from dgn.generators.base import Generator
from dgn.generators.bundle import Bundle
from dgn.generators.decoder import Decoder, given, measured, snapshot
from dgn.networks import weights, weights_file, zoo

Number = Annotated[float, Field(allow_inf_nan=False)]
Side = Annotated[int, Field(ge=1)]


def load_bundle(name: Path | str) -> Bundle:
    """A trained prior: one that ships with dgn, by its name, or a file that train.py wrote. UserError for neither."""
    return bundle.load(lookup.find(fspath(name)))


def load_prior(config: Mapping[str, Any]) -> Bundle:
    """The generator of the config, or the bundle's if the config has none."""
    node = config["generator"]
    if "_target_" not in node:
        return bundle.load(lookup.find(config["bundle"], config["bundle_filter"]), kinds.named(node.get("kind")))
    codes = None
    if node["codes"]:
        path = weights_file.find(node["codes"])
        tensors = weights.read(path)
        if "codes" not in tensors and len(tensors) != 1:
            raise UserError(f"{path} holds {len(tensors)} tensors: save the codes alone, or under the name 'codes'")
        codes = tensors.get("codes", next(iter(tensors.values())))
    about = node["moments"]
    return _prior(zoo.frozen(node), codes, about["shape"], about["mean"], about["std"], about["signed"], node["range"])


def decoder(
    network: nn.Module,
    codes: Any = None,
    shape: Sequence[Side] | None = None,
    mean: Number = 0.0,
    std: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0,
    signed: bool = True,
    range: Annotated[Sequence[Number], Field(min_length=2, max_length=2)] = (0, 1),
) -> Bundle:
    """A prior from any live decoder; the network is copied and left unchanged.

    Args:
        network: codes (N, ...) to images (N, C, H, W), or to a tuple, list, dict or dataclass with such images.
        codes: real codes (M, ...), a tensor or an array, on which the moments are measured; without them set the next
            four.
        shape: of one code.
        mean, std: of every element.
        signed: whether codes may be negative.
        range: the network's output values for black and white.

    Raises UserError if the moments are neither measured nor set, or the network does not accept such codes.
    """
    return _prior(snapshot(network), codes, shape, mean, std, signed, range)


def _prior(
    network: nn.Module,
    codes: Any,
    shape: Sequence[int] | None,
    mean: float,
    std: float,
    signed: bool,
    range: Sequence[float],
) -> Bundle:
    """See `decoder`; the network is put in eval mode and frozen."""
    if isinstance(network, Generator) and codes is None and hasattr(network, "moments"):
        network.eval()
        network.requires_grad_(False)
        moments: Any = network.moments
        return Bundle(network, moments(), torch.empty(0, *network.code_shape), {})
    if len(range) != 2 or range[0] == range[1] or not all(map(isfinite, range)):
        raise UserError(f"generator.range={list(range)} is not a range: set the output values for black and white, as "
                        "in 'generator.range=[-1,1]'")  # fmt: skip
    if codes is not None:
        measured_on = _codes(codes)
        moments = measured(measured_on)
        return Bundle(Decoder(network, measured_on.shape[1:], *range), moments, measured_on, {})
    if shape is None or (isinstance(shape, Sequence) and not shape):
        raise UserError("this generator needs the moments of its codes: set generator.codes=FILE with real codes, or "
                        "'generator.moments.shape=[128]' for codes with mean 0 and std 1")  # fmt: skip
    if not isinstance(shape, Sequence) or isinstance(shape, str):
        raise UserError(f"generator.moments.shape={shape} is not a list: set 'generator.moments.shape=[{shape}]'")
    if not all(isinstance(side, int) and side > 0 for side in shape):
        raise UserError(f"generator.moments.shape={list(shape)} is not the shape of a code: set positive integers, "
                        "such as 'generator.moments.shape=[128]'")  # fmt: skip
    if not (isfinite(mean) and isfinite(std) and std > 0):
        raise UserError(f"generator.moments has mean {mean} and std {std}: set finite numbers, with "
                        "generator.moments.std above zero")  # fmt: skip
    return Bundle(Decoder(network, shape, *range), given(shape, mean, std, signed), torch.empty(0, *shape), {})


def _codes(codes: Any) -> Tensor:
    """Real codes as an fp32 tensor on the CPU; UserError if they are not an array of numbers."""
    try:
        return torch.as_tensor(codes).detach().cpu().float()
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"the codes are not an array of numbers ({first_line(error)}): pass a tensor (M, ...)"
        ) from None


def name(config: Mapping[str, Any]) -> str:
    """The generator's name on the page."""
    kind = config["generator"].get("_target_")
    if kind:
        return kind.rpartition(".")[2].lower()
    return lookup.find(config["bundle"], config["bundle_filter"]).name.removesuffix(".bundle.safetensors")
