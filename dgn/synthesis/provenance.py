"""Provenance: what identifies a run and what is needed to repeat it."""

import hashlib
import json
import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_class
from torch import Tensor

from dgn.base.files import sha256
from dgn.base.instantiate import instantiate
from dgn.data import DataModule
from dgn.evaluation.dataset_examples import ENOUGH, labels, scored
from dgn.evaluation.verdict import weak
from dgn.generators.bundle import Bundle
from dgn.generators.pixels import Pixels
from dgn.synthesis import evolution, shown
from dgn.synthesis.inputs import bundle_file, files, prior_name
from dgn.synthesis.priors import Box
from dgn.synthesis.settings import SearchSettings, SynthesizeSettings
from dgn.units.target import Target
from dgn.units.wanted import Level

PACKAGES = ("torch", "torchvision", "pytorch-lightning", "hydra-core", "timm", "safetensors", "cma")


def contents(config: SynthesizeSettings, used: Mapping[str, str], prior: Bundle, target: Target) -> dict[str, str]:
    """Identities of everything else that determines the pictures, by name.

    These are the layer, other input files, and networks that `used` (from `weights`) does not cover: live networks and
    networks without a weights file.
    """
    digests = {"layer": target.layer}
    if path := config.start.get("path"):
        digests["start"] = sha256(Path(path).expanduser())
    along = [term for unit in target.units for term in unit.terms if term.direction is not None]
    if along:
        digests["directions"] = digest([term.direction for term in along])
    if any(term.offset is not None for term in along):
        digests["offsets"] = digest([torch.tensor([term.offset or 0.0 for term in along])])
    if isinstance(level := target.objective, Level):
        digests["levels"] = digest([level.of(target.units)])
    if target.classes:
        digests["classes"] = hashlib.sha256("\n".join(target.classes).encode()).hexdigest()
    if "target" not in used:
        digests["target"] = digest(target.features.network.state_dict().values())
    if bundle_file(config) is None:
        moments = prior.moments
        digests["codes"] = digest([moments.mean, moments.std, moments.minimum, prior.codes])
        if "generator" not in used:
            digests["generator"] = digest(prior.generator.state_dict().values())
    return digests


def digest(tensors: Iterable[Any]) -> str:
    """SHA-256 of the tensors; other entries of a state dict are ignored."""
    digest = hashlib.sha256()
    for tensor in tensors:
        if isinstance(tensor, Tensor):
            dense = tensor.detach().cpu().to_dense().contiguous()
            digest.update(dense.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def method(
    config: SynthesizeSettings, prior: Bundle, target: Target, real: tuple[DataModule, str] | None = None
) -> dict[str, Any]:
    """How the pictures were made, in the words of the page: initial code, what was optimised, and its range.

    Starts and priors describe themselves by `describe`, objectives by `name`; otherwise the class name is shown.
    `minimised` and `sums` count the units that are not a single maximised unit.

    Args:
        real: the real images beside the pictures, and which of them were scored, "val" or "train".
    """
    objective = target.objective
    name = getattr(objective, "name", type(objective).__name__)
    when = (
        ""
        if target.is_output
        else f", {'after' if config.post_activation else 'before'} the layer's own nonlinearity, if it has one"
    )
    return {
        **searched(config, prior),
        "score": name + when,
        "levels": getattr(objective, "levels", None),
        "place": _place(target),
        "minimised": sum(all(term.weight < 0 for term in unit.terms) for unit in target.units),
        "sums": sum(len(unit.terms) > 1 for unit in target.units),
        "judge": config.judge.name if config.judge else None,
        "real": _real(config, target, *real) if real else None,
        "unrelated": _unrelated(target, *real) if real else None,
    }


def searched(config: SynthesizeSettings | SearchSettings, prior: Bundle) -> dict[str, Any]:
    """What is moved, from where, how far and by what, and how well the prior shows things; see `method`."""
    start, record, what = instantiate(config.start), prior.record, prior.generator.searched
    if "encoder" in record and "layer" in record:
        what = f"the code of a generator that inverts {record['layer']} of {record['encoder']}"
    search = evolution.sampler(instantiate(config.ascent.optimiser))
    return {
        "by": search.describe(**config.ascent.optimiser) if search else None,
        "start": start.describe() if hasattr(start, "describe") else type(start).__name__,
        "searched": what,
        "stimulus": shown.describe(config.stimulus),
        "range": _range(config.prior, prior),
        "weak": weak(record.get("errors", {})),
    }


def _range(settings: Mapping[str, Any], prior: Bundle) -> str:
    """How far the search could go, in the words of the page."""
    rule = get_class(settings["_target_"])
    options = {key: value for key, value in settings.items() if not key.startswith("_")}
    generator = shown.bare(prior.generator)
    if isinstance(generator, Pixels) and issubclass(rule, Box):  # its moments are not of real images
        box = rule(prior.moments, **options)
        low, high = (float(generator(bound).mean()) for bound in (box.lower, box.upper))
        ends = "black and white" if abs(low) + abs(high - 1) < 1e-3 else f"{low:.2g} and {high:.2g}, where 1 is white"
        shrunk = "" if box.shrink == 1 else f", and moved towards grey by the factor {box.shrink:g} after each step"
        return f"each pixel was kept between {ends}{shrunk}"
    what = "picture" if isinstance(generator, Pixels) else "code"
    return (
        rule.describe(prior.moments, what=what, **options) if hasattr(rule, "describe") else f"prior: {rule.__name__}"
    )


def _place(target: Target) -> str | None:
    """What a channel's value is where it has one at each of many positions; None where it has a single one."""
    if not target.maps:
        return None
    known = {"mean": "its mean over all positions", "max": "its maximum over all positions"}
    terms = [term for unit in target.units for term in unit.terms if (term.layer or target.layer) in target.maps]
    places = {term.place if isinstance(term.place, str) else "one" for term in terms}
    if len(places) == 1:
        return known.get(places.pop(), "its value at the position in the unit's name")
    return ("its mean over all positions; with @max in the unit's name its maximum, with @center or @ROWxCOLUMN its "
            "value at that position")  # fmt: skip


def _real(config: SynthesizeSettings, target: Target, module: DataModule, scored: str) -> dict[str, Any]:
    """Which real images are shown, and whether only what the units see of them."""
    record = {"scored": scored, "images": len(getattr(module, scored))}
    return record | ({"patches": True} if config.real_patches and target.is_map else {})


def _unrelated(target: Target, module: DataModule, which: str) -> str:
    """Why no unit has a factor "× best real", should none have one."""
    if target.is_output and not target.classes:
        return "the outputs have no class names that match the folders of data.root; set target.classes"
    if target.is_output and not any(map(target.wanted, target.units)):
        return "it exists for single classes that are maximised"
    counts = scored(target, target.units, labels(getattr(module, which).source))
    if not any(counts):
        return "no class name of the outputs is the name of a folder of data.root; set target.classes"
    if max(counts) < ENOUGH:
        return (
            f"it needs {ENOUGH} real images{' of the class' if target.is_output else ''}, and {max(counts)} were scored"
        )
    return "the highest score of a real image is not above zero"


def manifest(
    config: SynthesizeSettings,
    weights: Mapping[str, str],
    contents: Mapping[str, str],
    method: Mapping[str, Any],
    layer: str,
    rows: int,
    seconds: float,
) -> str:
    """JSON: target, rows of the whole run, versions, commit, seeds, weights and their files, wall time in seconds."""
    about = {
        "title": config.title,
        "target": {"name": config.target.name, "layer": layer},
        "generator": {"name": prior_name(config)},
        "method": method,
        "rows": rows,
        "shard": config.shard,
        "seed": config.seed,
        "seeds": config.seeds,
        "files": files(config),
        "weights": weights,
        "contents": contents,
        "versions": versions(),
        "commit": commit(),
        "python": platform.python_version(),
        "seconds": round(seconds, 1),
    }
    return json.dumps(about, indent=1)


def versions() -> dict[str, str]:
    """Versions of the installed packages that affect the result."""
    installed = {}
    for name in PACKAGES:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            continue
    return installed


def commit() -> str | None:
    """The commit of this checkout, with '+' if files differ from it; None outside a checkout."""
    here = Path(__file__).parent
    try:
        call = ["git", "-C", str(here), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
        return subprocess.run(call, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
