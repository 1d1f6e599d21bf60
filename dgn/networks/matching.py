"""Match the tensors of a weights file to a network's parameters and buffers.

Names in the file may have an extra prefix: from a wrapper (`module.`, `_orig_mod.`), from the training module
(`model.`), from a checkpoint's dictionary (`state_dict.`), or several of these.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from dgn.base.errors import UserError

COUNTER = "num_batches_tracked"  # of a batch norm: no weight, and not in every file
FEWEST = 0.5  # of a network's tensors that must come from the file with strict=false


@dataclass
class Match:
    """What of a file goes into a network.

    Attributes:
        tensors: of the file, by the network's names.
        prefix: of their names in the file.
        missing: the network's names for which the file has nothing.
        reshaped: names whose shapes differ.
        unexpected: the file's names in parts that the network has, which the network lacks: it is another architecture.
        outside: the file's other names: a loss, an optimiser, a copy of the network.
    """

    tensors: dict[str, Tensor]
    prefix: str
    missing: list[str]
    reshaped: list[str]
    unexpected: list[str]
    outside: list[str]

    def problems(self) -> str:
        """What does not fit, in words; empty if everything does."""
        if not (self.missing or self.reshaped or self.unexpected):
            return ""
        others = [*self.unexpected, *self.outside]
        kinds = {"missing": self.missing, "unexpected": others, "of another shape": self.reshaped}
        return "; ".join(f"{len(names)} {what} ({shortened(names)})" for what, names in kinds.items() if names)


def match(
    path: Path,
    state: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    strict: bool = True,
    prefix: str | None = None,
    by_order: bool = False,
) -> Match:
    """What of `state`, the tensors of the file `path`, goes into a network with the state dict `expected`.

    Args:
        strict: every tensor must fit. Otherwise those that fit are taken, if they are at least half of the network's.
        prefix: of the names in the file; None looks for the one that makes all of the network's names present.
        by_order: pair tensors by their order instead of their names.

    Raises UserError, one sentence, where the file does not fit or where several prefixes do.
    """
    if by_order:
        state, prefix = _in_order(path, state, expected, prefix), ""
    chosen = _choose(path, state, expected, prefix)
    fit = _compare(state, expected, chosen)
    problems = fit.problems()
    if problems and strict:
        where = f" (names below {chosen!r})" if chosen else ""
        known = fit.tensors or not prefix
        advice = _advice(state, expected, fit, path) if known else "; set prefix=null to look for it"
        raise UserError(f"{path} does not fit this network{where}: {problems}{advice}")
    if problems and len(fit.tensors) < FEWEST * len(expected):
        raise UserError(f"{path} has only {len(fit.tensors)} of the network's {len(expected)} tensors, so most of the "
                        f"network would stay random: {problems}; set weights to a file of this network")  # fmt: skip
    return fit


def _choose(path: Path, state: Mapping[str, Tensor], expected: Mapping[str, Tensor], prefix: str | None) -> str:
    """The prefix of the network's names in the file."""
    if prefix is not None:
        return prefix and prefix.removesuffix(".") + "."
    present: dict[str, list[str]] = defaultdict(list, {"": []})
    for name in state:
        for start in [0, *(i + 1 for i, letter in enumerate(name) if letter == ".")]:
            if name[start:] in expected:
                present[name[:start]].append(name[start:])
    whole = [start for start, names in present.items() if not _missing(expected, names)]
    fits = {
        start: sum(_fits(state[start + name], expected[name]) for name in names) for start, names in present.items()
    }
    whole = [start for start in whole if fits[start] == len(present[start])] or whole
    if "" in whole:
        return ""
    if len(whole) > 1:
        choices = " or ".join(f"prefix={start.removesuffix('.')}" for start in whole)
        raise UserError(f"{path} holds {len(whole)} sets of weights for this network: set {choices}, as in "
                        f"target.prefix={whole[0].removesuffix('.')}")  # fmt: skip
    return whole[0] if whole else max(fits, key=lambda start: fits[start])


def _compare(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], prefix: str) -> Match:
    """The file's names below `prefix` against the network's."""
    below = {name.removeprefix(prefix): name for name in state if name.startswith(prefix)}
    parts = {name.partition(".")[0] for name in expected}
    reshaped = [name for name in expected if name in below and not _fits(state[below[name]], expected[name])]
    left = [name for name in below if name not in expected and not name.endswith(COUNTER)]
    unexpected = [name for name in left if (part := name.partition(".")[0]) in parts or part.isdecimal()]
    placed = {below[name] for name in [*expected, *unexpected] if name in below}
    return Match(
        tensors={name: state[below[name]] for name in expected if name in below and name not in reshaped},
        prefix=prefix,
        missing=sorted(_missing(expected, below)),
        reshaped=sorted(f"{name}: {_size(state[below[name]])} for {_size(expected[name])}" for name in reshaped),
        unexpected=sorted(unexpected),
        outside=[name for name in state if name not in placed],
    )


def _missing(expected: Mapping[str, Tensor], present: Collection[str]) -> list[str]:
    """The network's names that are not `present`.

    A tensor that another name shares is present with that one (tied weights, a module under two names): some files
    hold it once. Not so a part of a larger one.
    """
    missing = [name for name in expected if name not in present and not name.endswith(COUNTER)]
    if not missing:
        return []
    tensors = [expected[name] for name in present if name in expected]
    there = {_memory(tensor) for tensor in tensors if not is_lazy(tensor) and _is_whole(tensor)}
    return [name for name in missing if _memory(expected[name]) not in there]


def _memory(value: Tensor) -> int | None:
    """Where a tensor's memory begins; None where that is not known."""
    return None if is_lazy(value) or value.layout != torch.strided else value.untyped_storage().data_ptr()


def _is_whole(value: Tensor) -> bool:
    """Whether a tensor fills its memory; one of no elements has none."""
    strided = value.layout == torch.strided
    return strided and 0 < value.numel() * value.element_size() == value.untyped_storage().nbytes()


def _fits(value: Tensor, expected: Tensor) -> bool:
    """Whether shapes agree; a lazy module takes any."""
    return is_lazy(expected) or value.shape == expected.shape


def _in_order(
    path: Path, state: Mapping[str, Tensor], expected: Mapping[str, Tensor], prefix: str | None
) -> dict[str, Tensor]:
    """The file's tensors under the network's names, paired by order; UserError if numbers or shapes differ."""
    pairs = _paired(state, expected, path.suffix == ".safetensors", prefix)
    if pairs is None:
        count = len([name for name in expected if not name.endswith(COUNTER)])
        raise UserError(f"{path} does not have the network's {count} tensors in the same order and shapes: set "
                        "by_order=false")  # fmt: skip
    return pairs


def _paired(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor], sorted_file: bool, prefix: str | None = None
) -> dict[str, Tensor] | None:
    """The network's names with the file's tensors in the same order, or None where numbers or shapes differ.

    A checkpoint may hold more: the tensors below one prefix are tried, the longest list first. A safetensors file has
    its names in alphabetical order, so the network's are sorted too, and the names' last parts must agree.
    """
    starts = {name[: i + 1] for name in state for i, letter in enumerate(name) if letter == "."} | {""}
    if prefix is not None:
        starts = {prefix and prefix.removesuffix(".") + "."}
    for start in sorted(starts, key=len):
        theirs = [name for name in state if name.startswith(start)]
        for names in (list(expected), [name for name in expected if not name.endswith(COUNTER)]):
            ours = sorted(names) if sorted_file else names
            if len(ours) == len(theirs) and all(
                _fits(state[their], expected[our]) and (not sorted_file or _last(their) == _last(our))
                for our, their in zip(ours, theirs, strict=True)
            ):
                return {our: state[their] for our, their in zip(ours, theirs, strict=True)}
    return None


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _advice(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], fit: Match, path: Path) -> str:
    """What may help where a file does not fit."""
    if _paired(state, expected, path.suffix == ".safetensors") is not None:
        return "; only the names differ, order and shapes agree: set by_order=true"
    if len(fit.tensors) >= FEWEST * len(expected):
        return "; set strict=false to load what fits"
    return "; set weights to a file of this network"


def shortened(names: Iterable[str]) -> str:
    """The first three names."""
    names = list(names)
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _size(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "one number"
