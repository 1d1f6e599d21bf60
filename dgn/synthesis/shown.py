"""G with what may be shown of its pictures: the stimuli of a run's settings, see `dgn.synthesis.stimulus`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from hydra.utils import get_class
from torch import Tensor, nn

from dgn.base.instantiate import instantiate
from dgn.base.precision import full
from dgn.generators.base import Generator
from dgn.generators.bundle import Bundle
from dgn.synthesis.stimulus import Stimulus

NUMBERS = {"linear": " (in linear light)", "as_is": " (in its values as they are)"}


class Shown(Generator):
    """G with what may be shown of its pictures: clipped to [0, 1], changed by each stimulus in turn, clipped again.

    Args:
        inner: G.
        stimuli: in the order in which they act.
    """

    def __init__(self, inner: Generator, stimuli: list[Stimulus]) -> None:
        super().__init__()
        self.inner, self.stimuli = inner, nn.Sequential(*stimuli)
        self.code_shape, self.size, self.args, self.searched = inner.code_shape, inner.size, {}, inner.searched

    def forward(self, code: Tensor) -> Tensor:
        pictures = full(self.inner(code)).clamp(0, 1)
        with torch.autocast(pictures.device.type, enabled=False):
            return self.stimuli(pictures).clamp(0, 1)


def shown(prior: Bundle, stimuli: Mapping[str, Any]) -> Bundle:
    """The prior whose G makes what may be shown; as it is without stimuli.

    Args:
        stimuli: settings by name, in the order in which they act.
    """
    if not stimuli:
        return prior
    return replace(prior, generator=Shown(prior.generator, [instantiate(one) for one in stimuli.values()]).eval())


def bare(generator: Generator) -> Generator:
    """G without what `shown` has added."""
    return generator.inner if isinstance(generator, Shown) else generator


def describe(stimuli: Mapping[str, Any]) -> list[str]:
    """What a page says of the stimuli, a clause each, with the numbers in which it computes."""
    said = []
    for one in stimuli.values():
        kind = get_class(one["_target_"])
        clause = kind.describe(**one) if hasattr(kind, "describe") else f"was changed by {kind.__name__}"
        said.append(clause + NUMBERS.get(one.get("light"), ""))
    return said
