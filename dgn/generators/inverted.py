"""The encoder that a bundle's G inverts, and whether a given network is that encoder."""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch

from dgn.base.errors import UserError
from dgn.generators.bundle import Bundle
from dgn.networks import zoo


def identity(node: Mapping[str, Any]) -> str:
    """What tells the weights of a network's config from others.

    As `zoo.identity`; of a network without a file of weights, a hash of those that it is built with.
    """
    return zoo.identity(node) or _hash_of_weights(node)


def _hash_of_weights(node: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(zoo.frozen(node).state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return f"as built {digest.hexdigest()}"


def inverts(bundle: Bundle, node: Mapping[str, Any]) -> bool:
    """Whether `node`, a network's config, is of the network, layer and image size whose codes G inverts.

    True for a decoder of one's own, of which nothing is recorded. False where the record says that the weights of the
    encoder were unknown: any network could be meant.
    """
    record, size = bundle.record, node["input"]["size"]
    if record.get("layer") not in {None, node["layer"]} or record.get("encoder_size") not in {None, size}:
        return False
    if "encoder_sha256" not in record:
        return True
    return record["encoder_sha256"] is not None and record["encoder_sha256"] == identity(node)


def same_encoder(bundle: Bundle, node: Mapping[str, Any], role: str) -> None:
    """UserError if `node`, the config of the network in a role, is not of what G inverts, see `inverts`."""
    if inverts(bundle, node):
        return
    record = bundle.record
    encoder, layer = record.get("encoder", "?"), record.get("layer", "?")
    if record.get("encoder_sha256", "") is None:
        raise UserError(f"this bundle inverts {layer} of {encoder}, but does not record the weights: train it again, "
                        "or set bundle=ANOTHER")  # fmt: skip
    words = [f"network@{role}={encoder}", f"{role}.layer={layer}"]
    if record.get("encoder_size"):
        words.append(f"{role}.input.size={record['encoder_size']}")
    raise UserError(f"this bundle inverts {layer} of {encoder}: set {' '.join(words)}, or bundle=ANOTHER")
