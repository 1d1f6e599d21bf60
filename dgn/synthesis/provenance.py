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
from hydra.utils import get_class, instantiate
from torch import Tensor

from dgn.base.files import sha256
from dgn.generators import lookup
from dgn.generators.bundle import Bundle
from dgn.generators.pixels import Pixels
from dgn.networks import zoo
from dgn.networks.weights_file import find
from dgn.units.target import Subject

PACKAGES = ("torch", "torchvision", "pytorch-lightning", "hydra-core", "timm", "safetensors")


def weights(config: Mapping[str, Any]) -> dict[str, str]:
    """Identities of the weights by role; a live or random network has none."""
    roles = ("target", "generator", *(["judge"] if config["judge"] else []))
    found = {role: identity for role in roles if (identity := zoo.identity(config[role]))}
    if "_target_" not in config["generator"]:
        found["bundle"] = sha256(lookup.find(config["bundle"], config["bundle_filter"]))
    return found


def contents(config: Mapping[str, Any], used: Mapping[str, str], prior: Bundle, subject: Subject) -> dict[str, str]:
    """Identities of everything else that determines the pictures, by name.

    These are the layer, other input files, and networks that `used` (from `weights`) does not cover: live networks and
    networks without a weights file.
    """
    found = {"layer": subject.target.layers[0]}
    if path := config["start"].get("path"):
        found["start"] = sha256(Path(path).expanduser())
    directions = [term.direction for unit in subject.units for term in unit.terms if term.direction is not None]
    if directions:
        found["directions"] = _digest(directions)
    if subject.classes:
        found["classes"] = hashlib.sha256("\n".join(subject.classes).encode()).hexdigest()
    if "target" not in used:
        found["target"] = _digest(subject.target.network.state_dict().values())
    if "_target_" in config["generator"]:
        held = prior.moments
        found["codes"] = _digest([held.mean, held.std, held.minimum, prior.codes])
        if "generator" not in used:
            found["generator"] = _digest(prior.generator.state_dict().values())
    return found


def _digest(tensors: Iterable[Any]) -> str:
    """SHA-256 of the tensors; other entries of a state dict are ignored."""
    found = hashlib.sha256()
    for tensor in tensors:
        if isinstance(tensor, Tensor):
            dense = tensor.detach().cpu().to_dense().contiguous()
            found.update(dense.flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def method(config: Mapping[str, Any], prior: Bundle, subject: Subject) -> dict[str, Any]:
    """How the pictures were made, in the words of the page: initial code, what was optimised, and its range.

    Starts and priors describe themselves by `describe`, objectives by `name`; otherwise the class name is shown.
    `minimised` and `sums` count the units that are not a single maximised unit.
    """
    start, objective = instantiate(config["start"]), instantiate(config["objective"])
    rule = get_class(config["prior"]["_target_"])
    options = {key: value for key, value in config["prior"].items() if not key.startswith("_")}
    when = "after" if config["post_activation"] else "before"
    record = prior.record
    if isinstance(prior.generator, Pixels):
        searched = "the pixels themselves"
    elif "encoder" in record and "layer" in record:
        searched = f"the code of a generator that inverts {record['layer']} of {record['encoder']}"
    else:
        searched = "the code of a generator"
    return {
        "start": start.describe() if hasattr(start, "describe") else type(start).__name__,
        "searched": searched,
        "range": rule.describe(prior.moments, **options) if hasattr(rule, "describe") else f"prior: {rule.__name__}",
        "score": f"{getattr(objective, 'name', type(objective).__name__)}, {when} the layer's own nonlinearity",
        "minimised": sum(all(term.weight < 0 for term in unit.terms) for unit in subject.units),
        "sums": sum(len(unit.terms) > 1 for unit in subject.units),
        "judge": config["judge"]["name"] if config["judge"] else None,
    }


def manifest(
    config: Mapping[str, Any],
    weights: Mapping[str, str],
    contents: Mapping[str, str],
    method: Mapping[str, Any],
    layer: str,
    prior: str,
    rows: int,
    seconds: float,
) -> str:
    """JSON: target, rows of the whole run, versions, commit, seeds, weights and their files, wall time in seconds."""
    files = {}
    for role in ("target", "generator", *(["judge"] if config["judge"] else [])):
        if config[role].get("weights"):
            files[role] = find(config[role]["weights"])
    if "_target_" not in config["generator"]:
        files["bundle"] = lookup.find(config["bundle"], config["bundle_filter"])
    about = {
        "title": config.get("title"),
        "target": {"name": config["target"]["name"], "layer": layer},
        "generator": {"name": prior},
        "method": method,
        "rows": rows,
        "shard": config["shard"],
        "seed": config["seed"],
        "seeds": config["seeds"],
        "files": {name: str(path.resolve()) for name, path in files.items()},
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
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The commit of this checkout, with '+' if files differ from it; None outside a checkout."""
    here = Path(__file__).parent
    try:
        call = ["git", "-C", str(here), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
        return subprocess.run(call, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
