"""How a run can be told from another, and made again."""

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
from dgn.generators.bundle import Bundle
from dgn.generators.pixels import Pixels
from dgn.networks import zoo
from dgn.networks.settings import ModuleSettings
from dgn.networks.weights_file import find
from dgn.synthesis.load import bundle_file, prior_name
from dgn.synthesis.settings import SynthesizeSettings
from dgn.units.target import Target

PACKAGES = ("torch", "torchvision", "pytorch-lightning", "hydra-core", "timm", "safetensors")


def networks(config: SynthesizeSettings) -> dict[str, ModuleSettings]:
    """The networks that a run builds from settings, by their roles; a generator from a bundle is not one of them."""
    roles = {"target": config.target, "generator": config.generator, "judge": config.judge}
    return {role: network for role, network in roles.items() if isinstance(network, ModuleSettings)}


def weights(config: SynthesizeSettings) -> dict[str, str]:
    """What tells a network's weights from others, by its role; a network from Python, or a random one, has none."""
    identities = {role: zoo.identity(network) for role, network in networks(config).items()}
    known = {role: identity for role, identity in identities.items() if identity}
    file = bundle_file(config)
    return known | ({"bundle": sha256(file)} if file else {})


def contents(config: SynthesizeSettings, used: Mapping[str, str], prior: Bundle, target: Target) -> dict[str, str]:
    """What tells all else that a run's pictures are made of from others, by what it is.

    The layer, the other files that are read, and networks from Python or without weights: those that `used`, which
    `weights` gave, does not name.
    """
    digests = {"layer": target.layer}
    if path := config.start.get("path"):
        digests["start"] = sha256(Path(path).expanduser())
    directions = [term.direction for unit in target.units for term in unit.terms if term.direction is not None]
    if directions:
        digests["directions"] = _digest(directions)
    if target.classes:
        digests["classes"] = hashlib.sha256("\n".join(target.classes).encode()).hexdigest()
    if "target" not in used:
        digests["target"] = _digest(target.features.network.state_dict().values())
    if bundle_file(config) is None:
        moments = prior.moments
        digests["codes"] = _digest([moments.mean, moments.std, moments.minimum, prior.codes])
        if "generator" not in used:
            digests["generator"] = _digest(prior.generator.state_dict().values())
    return digests


def _digest(tensors: Iterable[Any]) -> str:
    """SHA-256 of tensors; of what else a state dict may hold nothing is known."""
    found = hashlib.sha256()
    for tensor in tensors:
        if isinstance(tensor, Tensor):
            dense = tensor.detach().cpu().to_dense().contiguous()
            found.update(dense.flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def method(config: SynthesizeSettings, prior: Bundle, target: Target) -> dict[str, Any]:
    """How the pictures were made, in the words of the page: the start, what was searched and within which range.

    A class says it itself by `describe` (a start, a prior) or `name` (an objective); of one that does not, its own
    name is shown. `minimised` and `sums` count the units that are no single maximised unit.
    """
    start, objective = instantiate(config.start), instantiate(config.objective)
    rule = get_class(config.prior["_target_"])
    options = {key: value for key, value in config.prior.items() if not key.startswith("_")}
    when = "after" if config.post_activation else "before"
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
        "minimised": sum(all(term.weight < 0 for term in unit.terms) for unit in target.units),
        "sums": sum(len(unit.terms) > 1 for unit in target.units),
        "judge": config.judge.name if config.judge else None,
    }


def manifest(
    config: SynthesizeSettings,
    weights: Mapping[str, str],
    contents: Mapping[str, str],
    method: Mapping[str, Any],
    layer: str,
    rows: int,
    seconds: float,
) -> str:
    """JSON: what was read, rows of the whole run, versions, commit, seeds, weights and their files, wall time in s."""
    files = {role: find(network.weights) for role, network in networks(config).items() if network.weights}
    if file := bundle_file(config):
        files["bundle"] = file
    about = {
        "title": config.title,
        "target": {"name": config.target.name, "layer": layer},
        "generator": {"name": prior_name(config)},
        "method": method,
        "rows": rows,
        "shard": config.shard,
        "seed": config.seed,
        "seeds": config.seeds,
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
    """Versions of the packages that decide what comes out; those not installed are left out."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The commit that dgn runs from, with '+' where files differ from it; None outside a checkout."""
    here = Path(__file__).parent
    try:
        call = ["git", "-C", str(here), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
        return subprocess.run(call, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
