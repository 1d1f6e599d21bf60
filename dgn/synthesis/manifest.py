"""How a run can be told from another, and made again."""

import json
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dgn.files import sha256
from dgn.networks import zoo

PACKAGES = ("torch", "torchvision", "pytorch-lightning", "hydra-core", "timm", "safetensors")


def manifest(config: dict[str, Any], prior: str, rows: int, seconds: float) -> str:
    """JSON: rows of the whole run, versions, commit, seeds, files and hashes of the weights, wall time in seconds."""
    files = {}
    if config["target"].get("weights"):
        files["target"] = zoo.find(config["target"]["weights"])
    if "_target_" not in config["generator"]:
        files["bundle"] = Path(config["bundle"])
    about = {
        "title": config.get("title"),
        "target": {"name": config["target"]["name"], "layer": config["target"]["layer"]},
        "generator": {"name": prior},
        "rows": rows,
        "shard": config["shard"],
        "seed": config["seed"],
        "seeds": config["seeds"],
        "files": {name: str(path.resolve()) for name, path in files.items()},
        "weights": {name: sha256(path) for name, path in files.items()},
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
