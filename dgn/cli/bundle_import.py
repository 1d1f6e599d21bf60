"""`dgn bundle import FILE --layer fc6 --bounds 3x/fc6.txt`: a bundle from a generator that others released."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dgn.base.errors import UserError
from dgn.data import codes
from dgn.evaluation import candidates
from dgn.generators import bounds, bundle, released
from dgn.generators.decoder import measured
from dgn.generators.moments import Moments
from dgn.networks import weights, zoo
from dgn.networks.settings import NetworkSettings
from dgn.networks.weights_file import find

WHOLE = 256  # side of the images of which CaffeNet takes the centre


def run(asked: argparse.Namespace) -> Path:
    """Write the bundle; returns its path. Nothing is written after a mistake."""
    layer = released.encoder_layer(asked.layer)
    path = Path(asked.output or f"{released.ENCODER}-{asked.layer}-released.bundle.safetensors").expanduser()
    if path.exists():
        raise UserError(f"{path} exists: set another --output")
    file = find(asked.file, "FILE")
    encoder = candidates.named(released.ENCODER, layer)
    if asked.weights:
        find(asked.weights, "--weights")
        encoder = encoder.model_copy(update={"weights": asked.weights})
    elif asked.images:
        raise UserError("--images needs CaffeNet, whose codes are measured: set --weights=FILE")
    moments, kept, about = _moments(asked, encoder)
    generator = released.generator(file, asked.layer, asked.size)
    record = {"encoder": released.ENCODER, "layer": layer, "encoder_size": released.SIZE, "data": "ImageNet"}
    if asked.weights:
        record["encoder_sha256"] = zoo.identity(encoder)
    record |= {"released as": file.name, **about, "licence": released.LICENCE}
    bundle.save(path, generator, moments, kept, record)
    print(f"bundle: {path}\nmoments: {about['moments of']}\nlicence: {released.LICENCE}")
    return path


def _moments(asked: argparse.Namespace, encoder: NetworkSettings) -> tuple[Moments, Tensor, Mapping[str, Any]]:
    """The moments of codes, some of the codes, and where they come from."""
    shape = released.CODES[asked.layer]
    if asked.bounds:
        moments, said = bounds.moments([find(name, "--bounds") for name in asked.bounds], shape)
        return moments, torch.empty(0, *shape), {"moments of": said}
    if asked.codes:
        given = _shaped(weights.single(find(asked.codes, "--codes"), "codes"), shape)
        return measured(given), given[: codes.KEPT], {"moments of": f"{len(given)} codes in {Path(asked.codes).name}"}
    read = zoo.features(encoder, [str(encoder.layer)], activated=True, role="encoder")
    moments, kept, count = codes.measure(read, Path(asked.images).expanduser(), WHOLE)
    return Moments.from_tensors(moments.tensors()), kept, {"moments of": f"CaffeNet's codes of {count} images"}


def _shaped(given: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Codes (N, *shape) or (N, D) as (N, *shape), fp32; UserError for others."""
    if given.ndim < 2 or given.shape[1:].numel() != torch.Size(shape).numel():
        raise UserError(f"--codes are {tuple(given.shape)}: save codes of shape (N, {', '.join(map(str, shape))})")
    return given.reshape(-1, *shape).float()
