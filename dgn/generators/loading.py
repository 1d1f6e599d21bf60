"""Load a prior: a bundle by its name or path, or any decoder with moments that are measured or set."""

from collections.abc import Sequence
from os import fspath
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dgn.base.errors import UserError, first_line
from dgn.base.typed import validated
from dgn.generators import bundle, lookup
from dgn.generators.base import Generator
from dgn.generators.bundle import Bundle
from dgn.generators.decoder import Decoder, constant, measured, snapshot
from dgn.generators.settings import DecoderSettings, PriorSettings
from dgn.networks import weights, weights_file, zoo


def load_bundle(name: Path | str) -> Bundle:
    """A trained prior: one that ships with dgn, by its name, or a file that dgn train wrote. UserError for neither."""
    return bundle.load(lookup.find(fspath(name)))


def load_decoder(settings: DecoderSettings) -> Bundle:
    """The prior from a decoder's settings."""
    codes = weights.single(weights_file.find(settings.codes, "generator.codes"), "codes") if settings.codes else None
    return _prior(zoo.frozen(settings), codes, settings)


def decoder(
    network: nn.Module,
    codes: Any = None,
    shape: Sequence[int] | None = None,
    mean: float = 0.0,
    std: float = 1.0,
    signed: bool = True,
    range: Sequence[float] = (0, 1),
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
    moments = {"shape": _plain(shape), "mean": _plain(mean), "std": _plain(std), "signed": signed}
    settings = validated(PriorSettings, {"range": _plain(range), "moments": moments}, "generator.")
    return _prior(snapshot(network), codes, settings)


def _plain(value: Any) -> Any:
    """A number or a list of numbers as YAML has it; arrays and tensors are converted, other types stay."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _prior(network: nn.Module, codes: Any, settings: PriorSettings) -> Bundle:
    """See `decoder`; the network is put in eval mode and frozen."""
    if isinstance(network, Generator) and codes is None and hasattr(network, "moments"):
        network.eval()
        network.requires_grad_(False)
        moments: Any = network.moments
        return Bundle(network, moments(), torch.empty(0, *network.code_shape), {})
    black, white = settings.range
    if codes is not None:
        real = _codes(codes)
        moments = measured(real)
        return Bundle(Decoder(network, real.shape[1:], black, white), moments, real, {})
    shape, mean, std = settings.moments.shape, settings.moments.mean, settings.moments.std
    if not shape:
        raise UserError("this generator needs the moments of its codes: set generator.codes=FILE with real codes, or "
                        "'generator.moments.shape=[128]' for codes with mean 0 and std 1")  # fmt: skip
    moments = constant(shape, mean, std, settings.moments.signed)
    return Bundle(Decoder(network, shape, black, white), moments, torch.empty(0, *shape), {})


def _codes(codes: Any) -> Tensor:
    """Real codes as an fp32 tensor on the CPU; UserError if they are not an array of numbers."""
    try:
        return torch.as_tensor(codes).detach().cpu().float()
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"the codes are not an array of numbers ({first_line(error)}): pass a tensor (M, ...)"
        ) from None
