"""A bundle: G, the moments of its code, some real codes and their provenance in one safetensors file.

The file never names code to run: the kind of G is looked up in a fixed table, or the caller gives the class.
"""

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from dgn.base import images, tensors
from dgn.base.errors import UserError, first_line
from dgn.base.typed import arguments
from dgn.generators import header
from dgn.generators.base import Generator
from dgn.generators.kinds import KINDS, kind_of
from dgn.generators.moments import Moments
from dgn.networks import weights


@dataclass(repr=False)
class Bundle:
    """A trained prior, as synthesis uses it.

    Attributes:
        generator: G, frozen, in eval mode.
        moments: of the codes on real images.
        codes: some codes of real images, (N, *code_shape).
        record: plain data: encoder, its layer and image size, data, images seen, errors, which G it holds.
    """

    generator: Generator
    moments: Moments
    codes: Tensor
    record: dict[str, Any]

    def __repr__(self) -> str:
        made_for = f" for {self.record['layer']} of {self.record['encoder']}" if "encoder" in self.record else ""
        shape, size = tuple(self.generator.code_shape), self.generator.size
        return f"Bundle({type(self.generator).__name__}{made_for}, codes {shape} to {images.px(size)})"


def save(path: Path, generator: Generator, moments: Moments, codes: Tensor, record: Mapping[str, Any]) -> None:
    """Write a bundle atomically, weights as fp16."""
    compact = tensors.compact({f"generator.{k}": v for k, v in generator.state_dict().items()} | {"codes": codes})
    kept = compact | {f"moments.{k}": v for k, v in moments.tensors().items()}
    made_by = {"kind": kind_of(type(generator)), "args": generator.args}
    about = {"schema": header.SCHEMA, "generator": made_by, "record": dict(record)}
    tensors.save(path, kept, {"dgn": json.dumps(about)})


def load(path: Path, generator: type[Generator] | None = None) -> Bundle:
    """Read a bundle.

    Args:
        path: of the file.
        generator: the class of its G; needed only for a class that is not dgn's own.

    Raises UserError, one sentence, for a file that is not a valid bundle, or holds another G.
    """
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get("dgn")
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        if weights.is_training(path):
            raise weights.training(path, "*.bundle.safetensors") from None
        said = "it is not a safetensors file, or is cut short" if "header" in str(error) else first_line(error)
        raise UserError(f"{path} is not a valid bundle ({said}): set another bundle=FILE") from None
    about = header.parse(text, path)
    cls = _class(about.generator.kind, generator, path)
    try:
        built = _built(cls, about.generator.args, _under("generator.", stored))
        moments, codes = _moments(_under("moments.", stored), built.code_shape), stored["codes"].float()
    except KeyError as error:
        raise UserError(f"{path} is not a valid bundle (it has no {error.args[0]}): set another bundle=FILE") from None
    except (TypeError, ValueError, RuntimeError, AttributeError, OverflowError, UserError) as error:
        raise UserError(f"{path} is not a valid bundle ({first_line(error)}): set another bundle=FILE") from None
    if tuple(codes.shape[1:]) != built.code_shape or not codes.isfinite().all():
        raise UserError(f"{path} is not a valid bundle (its codes are not finite, or not of shape {built.code_shape}): "
                        "set another bundle=FILE")  # fmt: skip
    return Bundle(built, moments, codes, about.record.model_dump(exclude_unset=True))


def _class(kind: str, generator: type[Generator] | None, path: Path) -> type[Generator]:
    """The class of a file's G: in the table, or the one that the caller names; never one that the file names."""
    cls = KINDS.get(kind, generator)
    if cls is None or (cls in KINDS.values() and kind not in KINDS):
        raise UserError(f"the generator in {path} has a custom class ({kind!r}), which is not imported by itself: set "
                        "generator.kind to its import path if you trust it")  # fmt: skip
    if generator not in {None, cls}:
        raise UserError(f"the generator in {path} is a {kind}, not a {kind_of(generator)}: set another "  # type: ignore[arg-type]
                        "generator.kind, or leave it out")  # fmt: skip
    return cls


def _built(cls: type[Generator], args: Mapping[str, Any], state: Mapping[str, Tensor]) -> Generator:
    """G with its weights, frozen, in eval mode; ValueError or RuntimeError where they do not go together."""
    checked = arguments(cls, args)
    # What the header claims costs no memory until the tensors bear it out. A class of the user's own may compute
    # more than weights, and is built as it is.
    with torch.device("meta") if cls in KINDS.values() else nullcontext(), torch.random.fork_rng(devices=[]):
        generator = cls(**checked)
        expected = generator.state_dict()
        if unmatched := sorted(expected.keys() ^ state.keys()):
            raise ValueError(f"its generator's weights do not match its settings: {unmatched[0]}")
        for name, value in state.items():
            if value.shape != expected[name].shape or value.is_floating_point() != expected[name].is_floating_point():
                raise ValueError(f"{name} of its generator is {tuple(value.shape)} of {value.dtype}, not "
                                 f"{tuple(expected[name].shape)} of {expected[name].dtype}")  # fmt: skip
        generator.eval()
        generator.requires_grad_(False)
        with torch.no_grad():
            image = generator(torch.zeros(1, *generator.code_shape))
    if image.ndim != 4 or tuple(image.shape[2:]) != images.sides(generator.size):
        raise ValueError(f"its generator gives {tuple(image.shape)}, not images of {images.px(generator.size)}")
    loaded = {name: value.to(expected[name].dtype) for name, value in state.items()}
    if not all(value.isfinite().all() for value in loaded.values()):
        raise ValueError("its generator's weights are not finite")
    generator.load_state_dict(loaded, assign=True)
    generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return generator.requires_grad_(False)


def _moments(tensors: Mapping[str, Tensor], code_shape: tuple[int, ...]) -> Moments:
    """Moments from a file; ValueError where they are not those of codes of this shape."""
    shapes = {code_shape, (code_shape[0], *[1] * (len(code_shape) - 1))}
    for name in ("mean", "std", "minimum", "negative"):
        value = tensors[name]
        if tuple(value.shape) not in shapes or value.shape != tensors["mean"].shape or not value.isfinite().all():
            raise ValueError(f"the {name} of its codes is not finite or does not fit codes of shape {code_shape}")
    if (tensors["std"] < 0).any():
        raise ValueError("a standard deviation of its codes is negative")
    if tensors["count"].numel() != 1 or tensors["count"] < 1:
        raise ValueError("the count of its codes is less than one")
    axes = tensors.get("axes")
    if axes is not None and (axes.ndim != 2 or tuple(axes.shape[1:]) != code_shape or not axes.isfinite().all()):
        raise ValueError(f"its axes are not finite or do not fit codes of shape {code_shape}")
    return Moments.from_tensors(tensors)


def _under(prefix: str, stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in stored.items() if name.startswith(prefix)}
