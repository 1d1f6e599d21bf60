"""torchvision's and timm's models by name, with the preprocessing from the weights' metadata."""

import os
import urllib.request
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

from dgn.base.errors import UserError, nearest

# Their weights take inputs of mean and std 0.5. torchvision switches the change from ImageNet's mean and std on only
# where it loads these weights itself, not where they come from a file.
FROM_TENSORFLOW = ("googlenet", "inception_v3")
SECONDS = 5  # to wait for an answer before saying that there is none


def torchvision_model(name: str, weights: str | None = None, **args: Any) -> nn.Module:
    """`torchvision.models.get_model`; `weights` is DEFAULT or a version's name, null for random ones.

    Raises UserError if the weights are neither in torch's cache nor available for download, or if their file holds
    more than weights: torchvision itself would run what is in it.
    """
    models = _torchvision(name)
    if name in FROM_TENSORFLOW:
        args = {"transform_input": True} | args
    if weights is None:
        return models.get_model(name, weights=None, **args)
    chosen = _version(models, name, weights)
    file = Path(torch.hub.get_dir()) / "checkpoints" / chosen.url.rpartition("/")[2]
    if not file.exists():
        _reach(chosen.url, f"put that file into {file.parent}, or set target.weights=FILE target.args.weights=null")
    try:
        with patch.dict(os.environ, TORCH_FORCE_WEIGHTS_ONLY_LOAD="1"):
            os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)
            return models.get_model(name, weights=chosen, **args)
    except (UnpicklingError, EOFError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "PytorchStreamReader" not in str(error):  # a file that was cut short
            raise
        raise UserError(f"{file} is damaged or holds more than weights ({str(error).split('. ')[0]}): delete it, and "
                        "the next run downloads it again") from None  # fmt: skip


def timm_model(model_name: str, pretrained: bool = False, **args: Any) -> nn.Module:
    """`timm.create_model`; UserError if pretrained weights can be neither found in the cache nor downloaded."""
    timm, about = _timm(model_name)
    if not pretrained:
        return timm.create_model(model_name, **args)
    if about is None or not about.has_weights:
        raise UserError(f"timm has no pretrained weights for {model_name!r}: set target.args.pretrained=false")
    if about.hf_hub_id:
        from huggingface_hub import constants, try_to_load_from_cache

        file = about.hf_hub_filename or "model.safetensors"
        path = try_to_load_from_cache(about.hf_hub_id, file)
        if isinstance(path, str):  # named, or the hub would be asked first, at length
            return timm.create_model(model_name, pretrained=True, pretrained_cfg_overlay={"file": path}, **args)
        url = f"{constants.ENDPOINT}/{about.hf_hub_id}/resolve/main/{file}"
        _reach(url, "download that file elsewhere and set target.weights=FILE target.args.pretrained=false")
    return timm.create_model(model_name, pretrained=True, **args)


def words_for(name: str, role: str) -> list[str]:
    """The words that choose a model of torchvision or timm as the network in a role; none for an unknown name."""
    from torchvision import models

    if name in models.list_models(module=models):
        return [f"network@{role}=torchvision", f"{role}.args.name={name}"]
    if find_spec("timm") and import_module("timm").is_model(name):
        return [f"network@{role}=timm", f"{role}.args.model_name={name}"]
    return []


def record(library: str, name: str, weights: Any, key: str) -> Any:
    """What the library records of a model's input: size, mean, std, interpolation or channels, as of `Preprocessing`.

    For torchvision of the version `weights`, by default of its best; a model without weights of its own gets the
    library's default. In a YAML it is `${record:LIBRARY,NAME,WEIGHTS,KEY}`.
    """
    if library == "torchvision":
        models = _torchvision(name)
        taken = _version(models, name, weights or "DEFAULT").transforms()
        values: dict[str, Any] = {"size": taken.crop_size[0], "mean": taken.mean, "std": taken.std, "channels": 3,
                                  "interpolation": taken.interpolation.value}  # fmt: skip
    else:
        timm, about = _timm(name)
        taken = timm.data.resolve_data_config({}, pretrained_cfg=about.to_dict() if about else {})
        channels, size, _ = taken["input_size"]
        values = {"size": size, "channels": channels, **{key: taken[key] for key in ("mean", "std", "interpolation")}}
    value = values[key]
    return [float(number) for number in value] if isinstance(value, Sequence) and not isinstance(value, str) else value


def _torchvision(name: str) -> ModuleType:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise UserError(f"torchvision has no classifier {name!r}: {nearest(str(name), known)}")
    return models


def _version(models: ModuleType, name: str, weights: str) -> Any:
    versions = models.get_model_weights(name)
    if weights not in versions.__members__:
        raise UserError(f"torchvision's {name} has no weights {weights!r}: set target.args.weights=DEFAULT; "
                        f"{nearest(str(weights), versions.__members__)}")  # fmt: skip
    return versions[weights]


def _timm(name: str) -> tuple[ModuleType, Any]:
    """timm, and what it records of a model's weights; None of a model that has none."""
    try:
        import timm
    except ImportError:
        raise UserError("timm's models need the package: install it by pip install timm") from None
    if not timm.is_model(name):
        raise UserError(f"timm has no model {name!r}: {nearest(str(name), timm.list_models())}")
    try:
        return timm, timm.get_pretrained_cfg(name)
    except RuntimeError:
        kind, _, tag = name.partition(".")
        raise UserError(
            f"timm's {kind} has no weights {tag!r}: {nearest(name, timm.list_pretrained(f'{kind}.*'))}"
        ) from None


def _reach(url: str, instead: str) -> None:
    """Raise UserError at once if a download would only time out."""
    try:
        request = urllib.request.Request(url, method="HEAD")
        urllib.request.urlopen(request, timeout=SECONDS).close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise UserError(f"cannot download the weights {url} ({reason}): {instead}") from None
