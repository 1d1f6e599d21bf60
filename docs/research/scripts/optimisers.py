"""Optimisers of other libraries for G, of which none pays (docs/training.md).

With PYTHONPATH=docs/research/scripts, after `pip install pytorch_optimizer==4.1.0 schedulefree==1.4.1`, words of dgn
train:

    module.optimiser_g._target_=optimisers.muon module.optimiser_g.lr=1e-3
    module.optimiser_g._target_=optimisers.soap module.optimiser_g.lr=1e-3
    module._target_=optimisers.ScheduleFree module.optimiser_g._target_=optimisers.schedule_free \
        module.optimiser_g.lr=2e-3 'module.optimiser_g.betas=[0.9,0.99]' module.schedule.start=1
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any, cast

import pytorch_optimizer
import schedulefree
import torch
from torch import Tensor, nn

from dgn.generators.base import Generator
from dgn.training.deepsim import DeepsimTraining

RECENT = 40  # batches of codes on which batch norms are measured again


def muon(lr: float, betas: Sequence[float], weight_decay: float, caffe: bool) -> Callable:
    """Muon for the weights, with steps as long as Adam's, and Adam for the last layer, biases and batch norms."""

    def made(groups: Sequence[Mapping[str, Any]]) -> torch.optim.Optimizer:
        every = [p for group in groups for p in group["params"]]
        weights = [p for p in every if p.ndim > 1][:-1]
        known = {id(p) for p in weights}
        rest = [p for p in every if id(p) not in known]
        kinds = [{"params": weights, "use_muon": True}, {"params": rest, "use_muon": False, "betas": tuple(betas)}]
        optimiser = pytorch_optimizer.Muon(kinds, lr=lr, adamw_lr=lr, use_adjusted_lr=True)
        optimiser.defaults["lr"] = lr
        return optimiser

    return made


class Soap(pytorch_optimizer.SOAP):
    """SOAP whose step is in full precision, also within the training step's autocast."""

    def step(self, closure: Callable | None = None) -> Any:
        with torch.autocast(self.param_groups[0]["params"][0].device.type, enabled=False):
            return super().step(closure)


def soap(lr: float, betas: Sequence[float], weight_decay: float, caffe: bool) -> Callable:
    """SOAP; sides above 1024 are not preconditioned."""
    return partial(Soap, lr=lr, betas=tuple(betas), weight_decay=0.0, max_precondition_dim=1024)


def schedule_free(lr: float, betas: Sequence[float], weight_decay: float, caffe: bool) -> Callable:
    """Schedule-free Adam; needs `ScheduleFree` as the module."""
    return partial(schedulefree.AdamWScheduleFree, lr=lr, betas=tuple(betas), warmup_steps=100)


class ScheduleFree(DeepsimTraining):
    """Training whose G is drawn and written with the averaged weights, its batch norms measured again through them."""

    recent: tuple[Tensor, ...] = ()

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        optimisers = super().configure_optimizers()
        cast(Any, optimisers[0]).train()
        return optimisers

    def real(self, x: Tensor, index: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        code, compared = super().real(x, index)
        self.recent = (*self.recent[1 - RECENT :], code)
        return code, compared

    @torch.no_grad()
    def best(self) -> Generator:
        optimiser = cast(Any, self.trainer.optimizers[0])
        optimiser.eval()
        averaged = deepcopy(self.generator)
        optimiser.train()
        for layer in averaged.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.reset_running_stats()
                layer.momentum = None  # of all batches alike
        averaged.train()
        for code in self.recent:
            averaged(code)
        return averaged.eval()
