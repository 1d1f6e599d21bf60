"""Warm start: begin with the weights of a bundle's G, even if it inverts another encoder."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from rich.progress import track
from torch import Tensor

from dgn import data
from dgn.base.errors import UserError
from dgn.base.files import sha256
from dgn.generators import bundle, inverted, lookup
from dgn.generators.base import Generator
from dgn.generators.deepsim import Deepsim
from dgn.networks import zoo
from dgn.networks.features import Features
from dgn.training.code_cache import Kept
from dgn.training.recipe import differences
from dgn.training.settings import GeneratorSettings

FIRST = "layers.0.weight"  # of a G whose code is a vector: linear, with a batch norm behind it


def warm_start(
    generator: Generator, config: GeneratorSettings, datamodule: data.DataModule, encoder: Features, kept: Kept | None
) -> dict[str, Any]:
    """Load the weights of the G in `config.init` into `generator`; returns provenance and images seen, {} without one.

    For codes of another encoder or layer the first layer is translated, see `translated`, or reinitialised. This does
    not resume a training exactly: a bundle holds only weights in fp16, so the optimisers and D start fresh.
    """
    if not config.init:
        return {}
    path = lookup.find(config.init)
    initial = bundle.load(path, type(generator))
    if differ := differences(generator, initial.generator):
        raise UserError(f"init={config.init} has another G, which differs in {', '.join(differ)}: set generator."
                        f"{differ[0]} as in that bundle, or init=null")  # fmt: skip
    state, weights = generator.state_dict(), initial.generator.state_dict()
    fresh = [key for key, value in state.items() if value.shape != weights[key].shape]
    vector = len(generator.code_shape) == 1 and FIRST in state
    if vector and not fresh and not inverted.inverts(initial, config.encoder):
        fresh = [FIRST]
    generator.load_state_dict(state | {key: value for key, value in weights.items() if key not in fresh})
    told = f"{', '.join(fresh)} reinitialised" if fresh else ""
    theirs = config.comparator.model_copy(update={"layer": initial.record.get("layer")})
    if not fresh and isinstance(generator, Deepsim) and isinstance(initial.generator, Deepsim):
        generator.args["code_scale"] = generator.code_scale = initial.generator.code_scale
    elif vector and fresh == [FIRST] and initial.record.get("encoder_sha256") and inverted.inverts(initial, theirs):
        read = zoo.features(theirs, str(theirs.layer), activated=True, role="comparator")
        pairs = codes_of_both(encoder, read, kept, datamodule, config.moments.images)
        scale = generator.args["code_scale"] / initial.generator.args["code_scale"]
        weight = weights[FIRST] @ translated(pairs) * scale
        generator.load_state_dict(generator.state_dict() | {FIRST: weight})
        told = f"its first layer fitted by ridge regression from the new codes to {initial.record['layer']}"
    seen = initial.record.get("images_seen", 0)
    print(f"warm start: G from {path.name} ({seen:,} images seen); optimisers and D start fresh"
          + f"; {told}" * bool(told))  # fmt: skip
    return {"init": sha256(path), "images_seen": seen}


@torch.no_grad()
def codes_of_both(
    encoder: Features, read: Features, kept: Kept | None, datamodule: data.DataModule, most: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of the codes, by E and by the encoder of `init`, of at most `most` training images."""
    batches = datamodule.plain(most)
    for x, _, index in track(
        batches, "reading the codes of both encoders", total=-(-most // data.BATCH), transient=True
    ):
        yield encoder(x) if kept is None else kept(index), read(x)


def translated(pairs: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """The linear map from codes (N, D) to those of another encoder, (N, K), with the least squared error: (K, D).

    By ridge regression on centred codes, in float64; the batch norm that follows makes up for the means.
    """
    ours, theirs = (torch.cat(codes).double() for codes in zip(*pairs, strict=True))
    ours, theirs = ours - ours.mean(0), theirs - theirs.mean(0)
    square = ours.T @ ours
    ridge = 0.05 * square.diagonal().mean() * torch.eye(len(square), dtype=square.dtype)
    return torch.linalg.solve(square + ridge, ours.T @ theirs).T.float()
