"""Ours and the released libraries beside each other: the same target, units and judge, each with the same seconds."""

import contextlib
import os
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dgn.base import process
from dgn.base.errors import UserError
from dgn.base.images import sides
from dgn.benchmark.job import Job, apart, here
from dgn.evaluation import metrics
from dgn.generators.spectral import Maco
from dgn.networks import zoo
from dgn.networks.preprocessing import Preprocessing
from dgn.report import results
from dgn.synthesis.api import configure
from dgn.synthesis.load import load, load_judge
from dgn.synthesis.run import synthesize

OURS = {"dgn": [], "dgn, Fourier": ["ascent=lucid"], "dgn, MACO": ["ascent=maco"]}
LIBRARIES = {"Horama, Fourier": "horama_fourier", "Horama, MACO": "horama_maco", "Lucent": "lucent"}
TRIAL = 3  # steps by which a step's time is measured
SPECTRUM = "spectrum_decorrelated.npy"  # Horama downloads it, unless the current folder has it

Draw = Callable[[nn.Module, Preprocessing, int, int], Tensor]  # network, input, unit, steps to a picture (1, 3, S, S)


def race(words: Sequence[str], quick: bool) -> dict[str, Any]:
    """All methods one after the other, each in a process of its own unless `quick`: a row each.

    Ours goes first with its defaults; the others get as many steps as fit its seconds a picture.
    """
    run = here if quick else apart
    measured: list[dict[str, Any]] = []
    for name, settings in OURS.items():
        seconds = measured[0]["seconds"] if measured else None
        args = {"words": [*settings, *words], "seconds": seconds, "steps": 1 if quick else None}
        measured.append(run(Job(name, "dgn.benchmark.race:ours", args)) | {"name": name})
    for name, function in LIBRARIES.items():
        args = {"function": function, "words": list(words)}
        args |= {"seconds": measured[0]["seconds"], "steps": 1 if quick else None}
        measured.append(run(Job(name, "dgn.benchmark.race:library", args)) | {"name": name})
    return {"rows": measured, "versions": {name: version(name) for name in ("horama", "torch-lucent")}}


def ours(words: Sequence[str], seconds: float | None, steps: int | None) -> dict[str, Any]:
    """A method of ours by the command's own code; with its settings' steps if no seconds and no steps are given."""
    process.prepare()
    if steps is None and seconds is not None:
        each = [_synthesized([*words, f"ascent.steps={count}"])["seconds"] for count in (TRIAL, 2 * TRIAL)]
        steps = _fitting(each[1] - each[0], seconds)
    return _synthesized([*words, *([] if steps is None else [f"ascent.steps={steps}"])])


def _synthesized(words: Sequence[str]) -> dict[str, Any]:
    config, _ = configure(None, None, words)
    with TemporaryDirectory() as folder:
        synthesize(config, Path(folder), bar=False)
        rows = results.read(Path(folder) / "results.csv")
    return {
        "steps": config.ascent.steps,
        "seconds": sum(row.seconds for row in rows) / len(rows),
        "ranks": [row.rank for row in rows],
        "judged": [row.judge_rank for row in rows],
    }


def library(function: str, words: Sequence[str], seconds: float, steps: int | None) -> dict[str, Any]:
    """A released library on the same target, one unit at a time as it does, with as many steps as fit the seconds."""
    process.prepare()
    draw: Draw = {"horama_fourier": horama_fourier, "horama_maco": horama_maco, "lucent": lucent}[function]
    config, _ = configure(None, None, words)
    prior, target = load(config)
    judge = load_judge(config, prior, target)
    network, contract = zoo.module(config.target).eval().requires_grad_(False), zoo.contract(config.target)
    units = [unit.terms[0].channel for unit in target.units]
    with _quiet(), _with_spectrum(_side(contract)):
        if steps is None:
            times = [_timed(draw, network, contract, units[0], count)[1] for count in (1, TRIAL, 2 * TRIAL)]
            steps = _fitting(times[2] - times[1], seconds)
        drawn = [_timed(draw, network, contract, unit, steps) for unit in units]
    pictures = torch.cat([picture for picture, _ in drawn]).clamp(0, 1)
    with torch.no_grad():
        ranks = metrics.ranks(target.features(pictures), torch.tensor(units)).tolist()
    return {
        "steps": steps,
        "seconds": sum(took for _, took in drawn) / len(drawn),
        "ranks": ranks,
        "judged": judge.ranks(pictures, [target.wanted(unit) for unit in target.units])
        if judge
        else [None] * len(ranks),
    }


def _fitting(trial: float, seconds: float) -> int:
    """The steps that take so many seconds, where `TRIAL` of them take `trial`."""
    return max(1, round(TRIAL * seconds / max(trial, 1e-6)))


def _timed(draw: Draw, *args: Any) -> tuple[Tensor, float]:
    begun = time.perf_counter()
    picture = draw(*args)
    return picture.detach(), time.perf_counter() - begun


@contextlib.contextmanager
def _quiet() -> Any:
    """The libraries warn of what newer versions of torch have in store, and draw progress bars."""
    with warnings.catch_warnings(), Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _with_spectrum(size: int) -> Any:
    """In a folder of its own with the magnitudes that ship with dgn, under the name that Horama looks for."""
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        magnitude = Maco(size=2 * size, magnitude="asset:natural.spectrum.safetensors").magnitude
        np.save(SPECTRUM, magnitude.numpy())
        yield


def horama_fourier(network: nn.Module, contract: Preprocessing, unit: int, steps: int) -> Tensor:
    """Horama's Fourier ascent with settings that make the most of a few seconds."""
    from horama import fourier

    return _horama(fourier, network, contract, unit, steps)


def horama_maco(network: nn.Module, contract: Preprocessing, unit: int, steps: int) -> Tensor:
    """Horama's MACO with the same settings."""
    from horama import maco

    return _horama(maco, network, contract, unit, steps)


def _side(contract: Preprocessing) -> int:
    """The side of the target's input, pixels. UserError if it is not square, as the libraries need it."""
    height, width = sides(contract.size)
    if height != width:
        raise UserError("the libraries of the race take square images: set target.input.size to one number")
    return height


def _horama(method: Callable, network: nn.Module, contract: Preprocessing, unit: int, steps: int) -> Tensor:
    """Twice the target's size, two crops of 0.75 to 0.95 of it a step; its `box_size=(a, b)` crops b to 2b − a."""
    picture, _ = method(
        lambda crops: network(contract.normalise(crops))[:, unit].mean(),
        total_steps=steps,
        image_size=2 * _side(contract),
        model_input_size=_side(contract),
        values_range=(0, 1),
        crops_per_iteration=2,
        box_size=(0.55, 0.75),
        device="cpu",
    )
    return picture[None]


class _Seen(nn.Module):
    """The network from pictures in [0, 1]. Lucent's "labels" is the module registered last, so the output is named."""

    def __init__(self, network: nn.Module, contract: Preprocessing) -> None:
        super().__init__()
        self.network, self.contract = network, contract
        self.output = nn.Identity()

    def forward(self, pictures: Tensor) -> Tensor:
        return self.output(self.network(self.contract.normalise(pictures)))


def lucent(network: nn.Module, contract: Preprocessing, unit: int, steps: int) -> Tensor:
    """Lucent's defaults at the target's size, one step at a time; an index that is not there would return noise."""
    from lucent.optvis import param, render

    seen = _Seen(network, contract).eval()
    (picture,) = render.render_vis(
        seen,
        lambda layer: -layer("output")[0, unit],
        lambda: param.image(_side(contract)),
        thresholds=(steps,),
        preprocess=False,
        fixed_image_size=_side(contract),
        progress=False,
        show_image=False,
    )
    for module in seen.modules():
        module._forward_hooks.clear()  # it never removes them
    return torch.from_numpy(picture).permute(0, 3, 1, 2)
