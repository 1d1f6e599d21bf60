"""Is this network fit to be looked into? Asked before any optimisation, answered in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from dgn.base.errors import UserError, first_line
from dgn.networks.features import Features
from dgn.networks.preprocessing import Contract


@contextmanager
def first_pass(contract: Contract, role: str = "target") -> Iterator[None]:
    """The first time that images go through a network: a failure is most likely one of the contract, so it is said."""
    try:
        yield
    except (RuntimeError, AssertionError, ValueError, TypeError, IndexError) as error:
        shape = (1, contract.channels, contract.size, contract.size)
        raise UserError(f"the network does not take an input of {shape} ({first_line(error)}): type "
                        f"{role}.input.size=… or {role}.input.channels=…") from error  # fmt: skip


def check(target: Features, image: Tensor) -> Tensor:
    """The activation (1, ...) for one image (1, C, H, W), after making sure that a climb can work.

    Raises UserError if the network trains, has trainable parameters, gives no finite output, or cuts the gradient.
    """
    if any(module.training for module in target.network.modules()):
        raise UserError("the target is in training mode: call .eval() on it")
    if any(parameter.requires_grad for parameter in target.network.parameters()):
        raise UserError("the target has trainable parameters: call .requires_grad_(False) on it")
    image = image.detach().clone().requires_grad_()
    with torch.enable_grad():
        with first_pass(target.contract):
            activation = target(image)
        if activation.ndim not in (2, 3, 4) or len(activation) != len(image):
            raise UserError(f"the layer {target.layers[0]!r} gives {tuple(activation.shape)}: choose one that gives a "
                            "vector (N, D), a map (N, C, H, W) or tokens (N, T, D)")  # fmt: skip
        if not torch.isfinite(activation).all():
            raise UserError(f"the layer {target.layers[0]!r} gives NaN or inf on a real image: check weights and input")
        if not activation.requires_grad:
            raise UserError("no gradient reaches the image: the target's forward pass detaches it (torch.no_grad?)")
        # not the plain sum, which is constant behind a softmax or a layer norm
        weights = torch.rand(activation.shape, generator=torch.Generator().manual_seed(0)).to(activation)
        (gradient,) = torch.autograd.grad((weights * activation).sum(), image, allow_unused=True)
    if gradient is None or not torch.isfinite(gradient).all() or not gradient.any():
        raise UserError("no usable gradient reaches the image: some operation of the target has none")
    return activation.detach()
