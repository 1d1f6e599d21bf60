"""Synthesis from Python: `from dgn import synthesize`."""

import io
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from safetensors.torch import load_file
from torch import Tensor, nn

from dgn import report, settings
from dgn.base import process
from dgn.base.errors import UserError, nearest
from dgn.base.files import claim
from dgn.base.images import saved
from dgn.generators.bundle import Bundle
from dgn.generators.settings import DecoderSettings
from dgn.networks.preserve_state import preserve_state
from dgn.report import results
from dgn.settings import messages
from dgn.settings.check import check
from dgn.settings.compose import apart
from dgn.synthesis import run
from dgn.synthesis.settings import SynthesizeSettings


@dataclass
class Pictures:
    """What a synthesis made.

    Attributes:
        images: (N, C, H, W) in [0, 1], as they are saved: 8 bits a channel.
        rows: unit, label, seed, score, … of each image.
        codes: (N, *code_shape), from which G makes the images.
        curves: (N, steps) the score before each step, NaN from a row's end on.
        page: the page, where a folder was named for it.
    """

    images: Tensor
    rows: list[results.Row]
    codes: Tensor
    curves: Tensor
    page: Path | None


def synthesize(
    target: nn.Module | str,
    units: Sequence[str | int] | str | int,
    *words: str,
    prior: Bundle | None = None,
    output: Path | str | None = None,
    quiet: bool = False,
    **keys: Any,
) -> Pictures:
    """Pictures of what units of a network want to see.

    Args:
        target: a live network, which is left as it was found; or the path of an importable class; or a member of
            conf/network by its name.
        units: as on the command line: "volcano", 12, "layer4.1:3@center", "0.5*volcano+0.5*goldfish".
        words: further words of the command line: "seeds=4", "ascent.steps=100".
        prior: a bundle from `dgn.generators.bundle.load` or `dgn.decoder`; by default the one that the words name.
        output: a folder for everything that the command writes; nothing stays where it is None.
        quiet: print nothing, and show no bar.
        keys: of the target: layer, classes, weights, args, input={"size": 64, …}; defaults in conf/network_base.yaml.

    The process is left as it was found, see `dgn.base.process.restored`. Raises UserError, one sentence, for a mistake
    in what is asked for.
    """
    with process.restored(), redirect_stdout(io.StringIO()) if quiet else nullcontext():
        return _synthesize(target, units, words, prior, output, keys)


def _synthesize(
    target: nn.Module | str,
    units: Sequence[str | int] | str | int,
    words: Sequence[str],
    prior: Bundle | None,
    output: Path | str | None,
    keys: dict[str, Any],
) -> Pictures:
    live = target if isinstance(target, nn.Module) else None
    config, _ = configure(target, units if isinstance(units, str | int) else list(units), words, keys)
    if config.panels:
        raise UserError(f"these words are of {len(config.panels)} runs ({', '.join(config.panels)}): ask for them one "
                        "by one, or run python synthesize.py")  # fmt: skip
    if prior is not None:
        made = DecoderSettings.of_live(_path(getattr(prior.generator, "network", prior.generator)))
        config = config.model_copy(update={"generator": made})
    with TemporaryDirectory() as scratch, preserve_state(live) if live is not None else nullcontext():
        folder = Path(scratch if output is None else output).expanduser()
        try:
            with claim(folder, config.resume):
                if live is not None:
                    live.cpu()
                run.synthesize(config, folder, live, prior)
                page = None if output is None else report.write_page([folder], folder, config.title)
        except InstantiationException as error:  # what a class of the config raises
            if not messages.meant_for_the_user(error):
                raise
            raise UserError(messages.sentence(error, "synthesize", words)) from None
        return _pictures(folder, page)


def _pictures(folder: Path, page: Path | None) -> Pictures:
    rows = results.read(folder / "results.csv")
    kept = load_file(folder / "codes.safetensors")
    images = torch.stack([saved(folder / row.image) for row in rows])
    return Pictures(images, rows, kept["codes"], kept["curves"], page)


def configure(
    target: nn.Module | str | None, units: Any, words: Sequence[str], keys: dict[str, Any]
) -> tuple[SynthesizeSettings, dict[str, Any]]:
    """The command's settings, checked as the command checks them, and the member chosen of every group.

    `target` and `units` are left to `words` where they are None.
    """
    name = "torch.nn.Module" if isinstance(target, nn.Module) else target or ""  # a live one's is put in below
    chosen = [f"target._target_={name}" if "." in name else f"network@target={name}"] if name else []
    typed = [*chosen, *words]
    try:
        with apart():  # the caller may run in an application of Hydra's
            typed = settings.words("synthesize", typed)
            composed = settings.composed("synthesize", typed)
            config = composed.config
            if units is not None:
                config.units = units
            if isinstance(target, nn.Module):
                config.target._target_ = _path(target)  # no word: the path of a local class cannot be typed
                config.target.name = f"{type(target).__name__} (live)"
            _set(config.target, keys)
            return check(composed, SynthesizeSettings), composed.choices
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(messages.sentence(error, "synthesize", typed)) from None


def _set(node: DictConfig, keys: dict[str, Any]) -> None:
    """The target's own keys; `args` and `input` are merged into what is there."""
    for key, value in keys.items():
        if key not in node:
            raise UserError(f"a target has no {key!r}: {nearest(key, map(str, node))}")
        value = str(value) if isinstance(value, Path) else value
        node[key] = OmegaConf.merge(node[key], value) if isinstance(value, dict) else value


def _path(network: nn.Module) -> str:
    return f"{type(network).__module__}.{type(network).__qualname__}"
