"""Real images cut to what a unit of a map sees of them: its receptive field where it fires most."""

from collections.abc import Callable

import torch
from torch import Tensor

from dgn.base import lightning
from dgn.networks.receptive_field import Field, fields
from dgn.units.target import Target
from dgn.units.terms import Unit

Cut = Callable[[Tensor, Unit], Tensor]


def cutter(target: Target) -> Cut | None:
    """What cuts an image (C, S, S) to a unit's patch, at the target's input size; None where the layer is no map."""
    if not target.is_map:
        return None
    features = target.features
    (field,) = fields(features.network, features.contract, [target.layer])

    def cut(image: Tensor, unit: Unit) -> Tensor:
        image = features.contract.fitted(image[None])[0]
        with torch.no_grad(), lightning.on_device(target.device, features):
            values = features(image[None].to(target.device))[0].cpu()
        return patch(image, field, place(values, unit))

    return cut


def place(values: Tensor, unit: Unit) -> tuple[int, int]:
    """The row and column of a map (C, H, W) that a unit is read at: its own, or where its weighted sum is highest."""
    across = values.shape[2]
    fixed = [term.place for term in unit.terms if isinstance(term.place, int)]
    if fixed:
        return divmod(fixed[0], across)
    total = torch.zeros(values.shape[1:])
    for term in unit.terms:
        total += term.weight * (values[term.channel] if term.channel is not None else
                                torch.einsum("chw,c->hw", values, term.direction))  # fmt: skip
    return divmod(int(total.argmax()), across)


def patch(image: Tensor, field: Field, at: tuple[int, int]) -> Tensor:
    """The part of an image (C, S, S) that can reach one row and column of a map; smaller at the picture's border."""
    (top, bottom), (left, right) = field.rows[at[0]], field.columns[at[1]]
    return image[:, top : bottom + 1, left : right + 1]
