"""Load weights from files, without running code, and completely or not at all."""

import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn

from dgn.base.errors import UserError
from dgn.base.files import newest
from dgn.networks.matching import match, shortened
from dgn.networks.weights_file import SUFFIX, unreadable

STATISTICS = ("running_mean", "running_var")  # of batch norm


def read(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, or of a torch file read with `weights_only=True`.

    Dictionaries in it, as a checkpoint has them, become prefixes: `state_dict.conv.weight`.
    """
    try:
        if path.suffix == SUFFIX:
            with safe_open(path, "pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        content = _loaded(path)
    except Exception as error:  # torch's unpickler raises a dozen kinds for files that hold no weights
        raise _text(path) or _objects(path, error) or unreadable(path, error) from None
    tensors = dict(_tensors(content))
    if not tensors:
        raise UserError(f"{path} has no state dict: write one with torch.save(net.state_dict(), FILE)")
    return tensors


def _loaded(path: Path, mmap: bool = False) -> Any:
    """What a torch file holds, without running code. Torch's warnings of what is in it are left out: we say it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)


def single(path: Path, name: str) -> Tensor:
    """The only tensor of a file that `read` or NumPy (.npy) can read, or the one called `name`.

    Raises UserError if it cannot be read or holds several others.
    """
    if path.suffix != ".npy":
        tensors = read(path)
        if name not in tensors and len(tensors) != 1:
            raise UserError(f"{path} holds {len(tensors)} tensors: save the {name} alone, or under the name {name!r}")
        return tensors.get(name, next(iter(tensors.values())))
    try:
        with path.open("rb") as file:  # numpy leaves a file open that it cannot read
            return torch.from_numpy(np.load(file, allow_pickle=False))
    except (OSError, ValueError, TypeError, AttributeError, EOFError, BadZipFile) as error:
        raise UserError(f"cannot read the {name} from {path} ({error}): save it by np.save") from None


def _tensors(content: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors in nested dictionaries, by dotted names."""
    if isinstance(content, Mapping):
        for name, value in content.items():
            if isinstance(value, Tensor):
                yield f"{prefix}{name}", value
            elif isinstance(name, str):
                yield from _tensors(value, f"{prefix}{name}.")


def _text(path: Path) -> UserError | None:
    """The sentence for a file of text, in which torch would find a Python object."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(1000)
    except (OSError, UnicodeDecodeError):
        return None
    if path.suffix == SUFFIX or not text or not text.translate({ord(c): " " for c in "\t\r\n"}).isprintable():
        return None
    return UserError(f"{path} is a text file: set a file with a state dict, .safetensors or .pth")


def _objects(path: Path, error: Exception) -> UserError | None:
    """The sentence for a file that holds Python objects or a program, which reading would run."""
    text = str(error)
    kind = re.search(r"GLOBAL (\S+)", text)
    if kind is None and "TorchScript" not in text:
        return None
    what = f"a Python object ({kind[1]})" if kind else "a TorchScript program"
    return UserError(f"{path} cannot be loaded safely, because it holds {what}: save only the weights, with "
                     "torch.save(net.state_dict(), FILE)")  # fmt: skip


def is_training(path: Path) -> bool:
    """Whether a file is a training checkpoint of `dgn train`."""
    try:
        with path.open("rb") as file:
            if file.read(2) != b"PK":  # how a torch file begins
                return False
        content = _loaded(path, mmap=True)
    except Exception:  # whatever it is, it is none
        return False
    return isinstance(content, Mapping) and {"pytorch-lightning_version", "iteration", "images"} <= content.keys()


def training(path: Path, pattern: str) -> UserError:
    """The sentence for a checkpoint of `dgn train` where a finished file is needed, whose name has this pattern."""
    written = newest(path.parent, pattern)
    instead = f"set {written}, which this run wrote" if written else f"this run has not written {pattern} yet"
    return UserError(f"{path} is a training checkpoint, not a bundle or a weights file: {instead}; to continue the "
                     f"training, run dgn train with output={path.parent} resume=true")  # fmt: skip


def load(
    network: nn.Module, path: Path, by_order: bool = False, strict: bool = True, prefix: str | None = None
) -> None:
    """Load the tensors of `path` into `network`, fp16 ones as fp32; see `matching.match` for what fits.

    Prints a removed prefix and unused tensors. On UserError the network is unchanged.
    """
    state = {name: value for name, value in network.state_dict().items() if isinstance(value, Tensor)}
    rename = getattr(network, "own_names", dict)  # of a network whose published files have other names
    try:
        fit = match(path, rename(read(path)), state, strict, prefix, by_order)
    except UserError:
        if is_training(path):
            raise training(path, "*.safetensors") from None
        raise
    if fit.prefix:
        print(f"weights: removed the prefix {fit.prefix!r} from the names in {path}")
    if problems := fit.problems():
        print(f"warning: loaded only {len(fit.tensors)} of {len(state)} tensors from {path}: {problems}")
    elif fit.outside:
        count = f"{len(fit.outside)} other tensor{'s' * (len(fit.outside) > 1)}"
        print(f"weights: ignored {count} in {path}: {shortened(fit.outside)}")
    tensors = {name: _as(state[name].dtype, name, value, path) for name, value in fit.tensors.items()}
    refuse_infinite(path, network, tensors)
    network.load_state_dict(tensors, strict=False)


def _as(dtype: torch.dtype, name: str, value: Tensor, path: Path) -> Tensor:
    """A tensor of the file in the network's type; sparse ones become dense.

    UserError for whole numbers where the network computes with others: quantised weights, whose scales are elsewhere.
    """
    if dtype.is_floating_point and not (value.is_floating_point() or value.is_complex()):
        kind = str(value.dtype).removeprefix("torch.")
        raise UserError(f"{path} holds {name} as {kind}, and the network computes in floating point: save weights that "
                        "are not quantised")  # fmt: skip
    return value.to_dense().to(dtype)


def refuse_infinite(path: Path, network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """UserError for weights or batch statistics that hold NaN or inf. Other buffers, such as masks, may hold -inf."""
    trained = {name for name, _ in network.named_parameters(remove_duplicate=False)}
    finite = {name for name, value in tensors.items() if value.to_dense().isfinite().all()}
    broken = [name for name in tensors.keys() - finite if name in trained or name.endswith(STATISTICS)]
    if broken:
        raise UserError(f"{path} holds NaN or inf in {shortened(sorted(broken))}: take the weights of an earlier "
                        "epoch, or save them in fp32")  # fmt: skip
