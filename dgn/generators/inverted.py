"""The encoder that a bundle's G inverts, and whether a given network is that encoder."""

import hashlib

import torch

from dgn.base import images
from dgn.base.errors import UserError
from dgn.base.folders import members
from dgn.generators.bundle import Bundle
from dgn.networks import zoo
from dgn.networks.settings import NetworkSettings


def identity(network: NetworkSettings) -> str:
    """What tells a network's weights from others.

    As `zoo.identity`; of a network without a file of weights, a hash of those that it is built with.
    """
    return zoo.identity(network) or _hash_of_weights(network)


def _hash_of_weights(network: NetworkSettings) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(zoo.frozen(network).state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return f"as built {digest.hexdigest()}"


def inverts(bundle: Bundle, network: NetworkSettings) -> bool:
    """Whether this is the network, layer and image size whose codes G inverts.

    True for a decoder of one's own, of which nothing is recorded. False where the record says that the weights of the
    encoder were unknown: any network could be meant.
    """
    record, size = bundle.record, network.input.size
    if record.get("layer") not in {None, network.layer} or record.get("encoder_size") not in {None, size}:
        return False
    if "encoder_sha256" not in record:
        return True
    return record["encoder_sha256"] is not None and record["encoder_sha256"] == identity(network)


def at_size(network: NetworkSettings, size: int | None) -> NetworkSettings:
    """A network with an input of `size`, pixels; None: as it is."""
    return network.model_copy(update={"input": network.input.model_copy(update={"size": size})}) if size else network


def same_encoder(bundle: Bundle, network: NetworkSettings, role: str) -> None:
    """UserError where `network`, whose settings are the key `role`, is not what G inverts, see `inverts`."""
    if inverts(bundle, network):
        return
    record = bundle.record
    encoder, layer = record.get("encoder", "?"), record.get("layer", "?")
    if record.get("encoder_sha256", "") is None:
        raise UserError(f"this bundle inverts {layer} of {encoder}, but does not record the weights: train it again, "
                        "or set bundle=ANOTHER")  # fmt: skip
    if inverts(bundle, at_size(network, record.get("encoder_size"))):
        raise UserError(f"this bundle inverts {layer} of {encoder} at {images.px(record['encoder_size'])}, not at "
                        f"{images.px(network.input.size)}: set {role}.input.size={record['encoder_size']}, or "
                        "bundle=ANOTHER")  # fmt: skip
    own = encoder not in members("network")
    words = [f"{role}._target_={encoder} {role}.weights=…" if own else f"network@{role}={encoder}"]
    words.append(f"{role}.layer={layer}")
    size = record.get("encoder_size")
    if own:
        words.append(f"'{role}.input={{size: {size or '…'}, mean: …, std: …}}' as in its training")
    elif size:
        words.append(f"{role}.input.size={size}")
    raise UserError(f"this bundle inverts {layer} of {encoder}: set {' '.join(words)}, or bundle=ANOTHER")
