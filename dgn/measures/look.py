"""One look of a network at images: the rank of each one's class, and its features."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dgn.base import images, lightning
from dgn.base.errors import UserError
from dgn.base.precision import full
from dgn.evaluation import metrics
from dgn.evaluation.judge import Judge
from dgn.networks.outputs import channels_first

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True)
class Seen:
    """What a judge saw in images.

    Attributes:
        ranks: of each image's class among the judge's outputs, from 1; NaN where it has none.
        features: (N, D), the inputs of the judge's last layer with weights, averaged over positions.
        classes: of each image.
    """

    ranks: list[float]
    features: Tensor
    classes: list[str]


class Eye:
    """A judge that is also read at the inputs of its last layer: what its scores are a linear function of.

    It brings images to its own size and scale itself, whatever theirs are.

    Attributes:
        name: of the network.
        layer: whose inputs are the features.
    """

    def __init__(self, judge: Judge, device: torch.device) -> None:
        self.judge, self.device, self.name = judge, device, judge.name
        self.layer, self.module = self._last()

    def _last(self) -> tuple[str, nn.Module]:
        """The last layer with weights that the network runs."""
        run: list[tuple[str, nn.Module]] = []
        network = self.judge.network
        handles = [
            module.register_forward_hook(lambda module, *_, name=name: run.append((name, module)))
            for name, module in network.network.named_modules()
            if isinstance(module, WEIGHTED)
        ]
        try:
            with torch.no_grad():
                network(torch.zeros(1, 3, *images.sides(network.contract.size)))
        finally:
            for handle in handles:
                handle.remove()
        if not run:
            raise UserError(f"{self.name} runs no linear or convolutional layer to read features at: set "
                            "network@judge=ANOTHER")  # fmt: skip
        return run[-1]

    @torch.no_grad()
    def look(self, batches: Iterable[tuple[Tensor, Sequence[str | None], Sequence[str]]]) -> Seen:
        """Look at images (N, C, H, W) in [0, 1], as they are saved, in 8 bits.

        Args:
            batches: images; the name of each one's class, or None; what `Seen.classes` calls it.
        """
        ranks: list[float] = []
        features: list[Tensor] = []
        classes: list[str] = []
        with lightning.on_device(self.device, self.judge.network):
            for x, wanted, called in batches:
                scores, inputs = self._read(images.from_uint8(images.to_uint8(x)).to(self.device))
                ranks += self._ranks(scores.cpu(), wanted)
                features.append(inputs.cpu())
                classes += called
        return Seen(ranks, torch.cat(features) if features else torch.empty(0, 0), classes)

    def _read(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (N, classes) and features (N, D)."""
        kept: list[Tensor] = []
        handle = self.module.register_forward_pre_hook(lambda _, args: kept.append(args[0].clone()))
        try:
            scores = self.judge.network(x)
        finally:
            handle.remove()
        return scores, pooled(full(kept[0]))[: len(x)]

    def _ranks(self, scores: Tensor, wanted: Sequence[str | None]) -> list[float]:
        places = [self.judge.names.find(name) if name is not None else None for name in wanted]
        labels = torch.tensor([place or 0 for place in places])
        found = metrics.ranks(scores, labels).tolist()
        return [float("nan") if place is None else float(rank) for place, rank in zip(places, found, strict=True)]

    def __repr__(self) -> str:
        return f"{self.name}:{self.layer}"


def pooled(values: Any) -> Tensor:
    """Maps (N, C, H, W) and tokens (N, T, D) averaged over positions; vectors as they are."""
    values = channels_first(values)
    return values.mean((2, 3)) if values.ndim == 4 else values.mean(1) if values.ndim == 3 else values
