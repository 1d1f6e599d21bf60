"""A bundle: G, the moments of its code, some real codes, and where all came from, in one safetensors file.

Nothing in the file names code to run: the generator's kind is looked up in a fixed table here.
`dgn bundle info FILE` shows what a bundle holds.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from dgn.base.errors import UserError, first_line, nearest
from dgn.base.files import whole
from dgn.generators import Generator
from dgn.generators.deepsim import Deepsim
from dgn.generators.moments import Moments
from dgn.networks import zoo

ASSETS = Path(__file__).parent.parent / "assets"
SCHEMA = 1
KINDS: dict[str, type[Generator]] = {"deepsim": Deepsim}


@dataclass
class Bundle:
    """What synthesis needs of a trained prior.

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


def save(path: Path, generator: Generator, moments: Moments, codes: Tensor, record: Mapping[str, Any]) -> None:
    """Write a bundle, weights as fp16, whole or not at all."""
    kind = next(name for name, cls in KINDS.items() if type(generator) is cls)
    tensors = {f"generator.{k}": _half(v) for k, v in generator.state_dict().items()}
    tensors |= {f"moments.{k}": v for k, v in moments.tensors().items()}
    tensors["codes"] = _half(codes)
    about = {"schema": SCHEMA, "generator": {"kind": kind, "args": generator.args}, "record": dict(record)}
    with whole(path) as part:  # not save_file: its errors do not say that the disk is full
        part.write_bytes(serialise(tensors, {"dgn": json.dumps(about)}))


def _half(value: Tensor) -> Tensor:
    """Floating-point numbers as fp16, where none is too large for it."""
    value = value.detach().cpu().contiguous()
    half = value.half() if value.is_floating_point() else value
    return half if half.isfinite().all() else value


def find(name: str, inverts: Mapping[str, str] | None = None) -> Path:
    """The file of a bundle: one that ships with dgn, by its name; a path; or the one in a folder that `inverts` names.

    `inverts` has the network, the layer and the data of the bundle that is meant, as train.py names its files; a * in
    them fits anything.
    """
    name = str(name)  # a null or a number, where a config has one
    shipped = {path.stem.removesuffix(".bundle"): path for path in ASSETS.glob("*.bundle.safetensors")}
    if name in shipped:
        return shipped[name]
    path = Path(name).expanduser()
    if path.is_file():
        return path
    if path.is_dir() and inverts:
        return _within(path, inverts)
    raise UserError(f"there is no bundle {name!r}: type bundle=PATH of a file that train.py wrote, or a shipped one; "
                    f"{nearest(name, shipped)}")  # fmt: skip


def _within(folder: Path, inverts: Mapping[str, str]) -> Path:
    """The one bundle in a folder, at any depth, that `inverts` fits."""
    network, layer, data = (str(inverts[key]) for key in ("network", "layer", "data"))
    stem = f"{network}-{layer}-{data}"
    found = sorted(folder.rglob(f"{stem}.bundle.safetensors"))
    if len(found) > 1:
        raise UserError(f"{len(found)} bundles in {folder} are {stem}: type bundle=ONE of {', '.join(map(str, found))}")
    if not found:
        words = f"network@encoder={network} encoder.layer={layer}" + (f" data={data}" if data != "*" else "")
        output = folder / stem.removesuffix("-*")
        raise UserError(f"there is no bundle {stem} in {folder}: python train.py {words} output={output} makes it")
    return found[0]


def load(path: Path) -> Bundle:
    """Read a bundle; UserError if it is not one or does not hold together."""
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {}).get("dgn", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if about is None or about["schema"] != SCHEMA:
            raise UserError(f"{path} is not a bundle of this version of dgn: train one with train.py")
        with torch.device("meta"):  # what the header claims costs no memory until the tensors bear it out
            generator = KINDS[about["generator"]["kind"]](**about["generator"]["args"])
        state = {k: v.float() if v.is_floating_point() else v for k, v in _under("generator.", tensors).items()}
        generator.load_state_dict(state, assign=True)
        generator.to(memory_format=torch.channels_last)
        moments = Moments.from_tensors(_under("moments.", tensors))
        codes = tensors["codes"].float()
        expected = tuple(about["generator"]["args"]["code_shape"])
        if tuple(codes.shape[1:]) != expected or not torch.isfinite(codes).all():
            raise ValueError(f"its codes are not finite ones of shape {expected}")
        if moments.axes is not None and moments.axes.shape[1:] != expected:
            raise ValueError(f"its axes are not those of codes of shape {expected}")
        return Bundle(generator.eval().requires_grad_(False), moments, codes, about["record"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise UserError(f"{path} is not a sound bundle ({first_line(error)})") from None


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def inverts(held: Bundle, node: Mapping[str, Any]) -> bool:
    """Whether `node`, a network's config, is of the network, layer and image size whose codes G inverts.

    Taken to be so where that is not known, as of a decoder of one's own.
    """
    record, size = held.record, node["input"]["size"]
    same = record.get("encoder_sha256") in {None, zoo.identity(node)}
    return same and node["layer"] == record.get("layer", node["layer"]) and size == record.get("encoder_size", size)


def same_encoder(held: Bundle, node: Mapping[str, Any], role: str) -> None:
    """UserError where `node`, the config of the network in a role, is not of what G inverts, see `inverts`."""
    if not inverts(held, node):
        record = held.record
        words = [f"network@{role}={record['encoder']}", f"{role}.layer={record['layer']}"]
        if "encoder_size" in record:
            words.append(f"{role}.input.size={record['encoder_size']}")
        raise UserError(f"this bundle inverts {record['layer']} of {record['encoder']}: type {' '.join(words)}, "
                        "or bundle=ANOTHER")  # fmt: skip


def info(path: Path) -> str:
    """What a bundle holds, a line a fact."""
    held = load(path)
    generator, moments = held.generator, held.moments
    facts = {
        "file": f"{path}, {path.stat().st_size / 2**20:.1f} MiB",
        "generator": f"{sum(p.numel() for p in generator.parameters()) / 1e6:.1f} M parameters, "
        f"code {tuple(generator.code_shape)} to {generator.size} px",
        "moments": f"of {moments.count} values an element: std {moments.scale:.4g}, "
        f"{100 * float(moments.negative.mean()):.1f} % negative",
        "axes": f"{0 if moments.axes is None else len(moments.axes)} of the codes",
        "codes": f"{len(held.codes)} of real images",
    }
    errors = held.record.get("errors", {})
    facts |= {key: value for key, value in held.record.items() if key != "errors"}
    facts |= {f"error {name}": f"{value:.4g}" for name, value in errors.items()}
    return "\n".join(f"{name:<32}{value}" for name, value in facts.items())


def main() -> None:
    """`dgn bundle info FILE`."""
    parser = argparse.ArgumentParser(prog="dgn bundle", description="Look into a bundle.")
    parser.add_argument("action", choices=["info"])
    parser.add_argument("bundle", help="a file that train.py wrote, or the name of a shipped one")
    try:
        print(info(find(parser.parse_args().bundle)))
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
