"""Train a small classifier, to use as an encoder or a target."""

import json
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy

from dgn.base import images, tensors
from dgn.base.errors import UserError
from dgn.base.typed import NotNegative, Share
from dgn.networks import layout
from dgn.networks.outputs import parts
from dgn.networks.preprocessing import Preprocessing
from dgn.networks.validate import first_pass, noise
from dgn.training.optimisers import adopt
from dgn.training.schedule import one_cycle


class Classifier(pl.LightningModule):
    """Softmax cross-entropy with label smoothing, SGD with Nesterov momentum, one learning-rate cycle.

    `sizes` are pairs: a share of the iterations, and the image side from there on in shares of the network's input
    side. [[0, 0.625], [0.5, 1]]: small images first cost little and lose little. Top-1 and top-5 are always measured at
    the network's own size. UserError for a network that does not take the smallest, and for one whose weights cannot be
    written.
    """

    def __init__(
        self,
        *,
        network: torch.nn.Module,
        contract: Preprocessing,
        classes: Sequence[str],
        iterations: int,
        peak_lr: NotNegative,
        warm_up: Share,
        momentum: Share,
        weight_decay: NotNegative,
        label_smoothing: Share,
        sizes: Sequence[Sequence[float]],
    ) -> None:
        super().__init__()
        self.network = network
        self.contract, self.classes = contract, classes
        self.iterations, self.peak_lr, self.warm_up = iterations, peak_lr, warm_up
        self.momentum, self.weight_decay, self.label_smoothing = momentum, weight_decay, label_smoothing
        self.sizes = checked(sizes)
        self.iteration = self.images = 0
        self.automatic_optimization = False
        self.channels_last = self._tried(min(self.side(share) for _, share in self.sizes))
        tensors.check_writable(network.state_dict(), type(network).__name__)

    def _tried(self, side: Any) -> bool:
        """Whether the network is trained channels-last, see `layout.settle`; it is left as it was otherwise."""
        training, images = self.network.training, noise(replace(self.contract, size=side))

        def run(channels_last: bool) -> list[Tensor]:
            x = layout.arranged(images, channels_last)
            self.network.eval()
            with torch.no_grad():
                scores = self.network(x)
            self._check_scores(scores)
            return [scores, torch.tensor(float(_trains(self.network, x)))]

        try:
            with torch.random.fork_rng(devices=[]):
                return layout.settle(self.network, run)
        except (RuntimeError, AssertionError, ValueError):  # as networks refuse a size
            with first_pass(self.contract, "classifier"), torch.no_grad():
                self.network(noise(self.contract))
            raise UserError(f"this network fails on images of {side} px: set 'module.sizes=[[0,1]]'") from None
        finally:
            self.network.train(training)

    def _check_scores(self, scores: Any) -> None:
        count = len(self.classes)
        if not isinstance(scores, Tensor) or scores.ndim != 2 or scores.shape[1] != count:
            what = f"a tensor of {tuple(scores.shape)}" if isinstance(scores, Tensor) else f"a {type(scores).__name__}"
            raise UserError(f"this network returns {what} for {count} classes: it must return one score per class, a "
                            f"tensor (images, {count})")  # fmt: skip

    def configure_optimizers(self) -> torch.optim.Optimizer:
        weights = [p for p in self.network.parameters() if p.ndim > 1]
        rest = [p for p in self.network.parameters() if p.ndim <= 1]
        groups = [{"params": weights, "weight_decay": self.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        return torch.optim.SGD(groups, lr=self.peak_lr, momentum=self.momentum, nesterov=True, fused=True)

    def side(self, share: float) -> Any:
        """A share of the network's input size, pixels: a square's side, or [height, width]."""
        height, width = (round(share * side) for side in images.sides(self.contract.size))
        return height if height == width else [height, width]

    def size(self) -> Any:
        """The image size at this iteration, pixels."""
        return self.side([side for share, side in self.sizes if share * self.iterations <= self.iteration][-1])

    def seen(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) as evaluation has them, whole or their centre, at this iteration's side."""
        if self.contract.fit == "crop":
            x = self.contract.fitted(x)
        return images.resize(x, self.size(), self.contract.interpolation)

    def forward(self, x: Tensor) -> Tensor:
        """Images in [0, 1] to class scores."""
        return self.network(self.arranged(x))

    def arranged(self, x: Tensor) -> Tensor:
        """Images in [0, 1] to the network's input, in the memory format in which it runs."""
        return layout.arranged(self.contract.normalise(x), self.channels_last)

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], _: int) -> dict[str, Tensor]:
        x, labels = batch[:2]
        optimizer: Any = self.optimizers()
        for group in optimizer.param_groups:
            group["lr"] = self.peak_lr * one_cycle(self.iteration / self.iterations, self.warm_up)
        scores = self(self.seen(x))
        loss = F.cross_entropy(scores, labels, label_smoothing=self.label_smoothing)
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self.iteration += 1
        return {"loss/classifier": loss.detach(), "lr": torch.tensor(optimizer.param_groups[0]["lr"])}

    def evaluate(self, batches: Iterable[tuple[Tensor, ...]]) -> dict[str, float]:
        """Share of held-out images whose class is the first one, and among the first five, in %."""
        count = len(self.classes)
        meters = {
            name: MulticlassAccuracy(count, top_k=min(k, count), average="micro").to(self.device)
            for name, k in (("top1", 1), ("top5", 5))
        }
        for x, labels, _ in batches:
            scores = self(self.contract.fitted(x))
            for meter in meters.values():
                meter.update(scores, labels)
        return {name: 100 * float(meter.compute()) for name, meter in meters.items()}

    def write(self, path: Path) -> None:
        """The weights as safetensors, with the class names and the input settings inside, so that `weights=FILE` knows
        them."""
        about = {"classes": "\n".join(self.classes), "input": json.dumps(asdict(self.contract))}
        tensors.save(path, tensors.compact(self.network.state_dict()), about)

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint |= {"iteration": self.iteration, "images": self.images}

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        self.iteration, self.images = checkpoint["iteration"], checkpoint["images"]
        adopt([self.configure_optimizers()], checkpoint["optimizer_states"])


def checked(sizes: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """`sizes` as pairs in order; UserError unless they are pairs of numbers that begin at 0 and are shares."""
    try:
        pairs = sorted((float(share), float(side)) for share, side in sizes)
    except (TypeError, ValueError):
        pairs = []
    if not pairs or pairs[0][0] != 0 or pairs[-1][0] >= 1 or not all(0 < side <= 1 for _, side in pairs):
        raise UserError(f"module.sizes={sizes} is not a list of pairs [share of the iterations, share of the image "
                        "side] that begins at 0: set 'module.sizes=[[0,0.5],[0.5,1]]', or [[0,1]]")  # fmt: skip
    return pairs


def _trains(network: torch.nn.Module, x: Tensor) -> bool:
    """Whether a training pass and its gradient run; on a copy, for they move the network's statistics."""
    copy = deepcopy(network)
    copy.train()
    try:
        torch.stack([scores.float().sum() for scores in parts(copy(x)).values()]).sum().backward()
    except (RuntimeError, ValueError):
        return False
    return True
