"""Is this network fit to be looked into? It is tried on two images before any work, and answered in one sentence."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from dgn.base import precision
from dgn.base.errors import UserError, first_line
from dgn.networks import layout
from dgn.networks.features import Features, lazy
from dgn.networks.layout import close
from dgn.networks.outputs import parts
from dgn.networks.preprocessing import Preprocessing

T = TypeVar("T")
# of a library's messages, those that another size or another number of channels may mend, and those that only look so
OF_SHAPES = re.compile(r"size|shape|channel|height|width|dimension|elements|multipl|divi|AssertionError", re.IGNORECASE)
OF_OTHERS = re.compile(r"dtype|type|size and stride|more than 1 value per channel|argument|inference", re.IGNORECASE)


def noise(contract: Preprocessing, count: int = 2) -> Tensor:
    """The same images (count, C, H, W) of uniform noise in [0, 1] each time, of a network's own size and channels."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, contract.channels, contract.size, contract.size, generator=generator)


@contextmanager
def first_pass(contract: Preprocessing, role: str = "target") -> Iterator[None]:
    """The first time that images go through a network: what it raises becomes one sentence, with what to set."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        shape, said = (2, contract.channels, contract.size, contract.size), first_line(error)
        advice = ""
        if OF_SHAPES.search(said) and not OF_OTHERS.search(said):
            advice = f": set {role}.input.size=… or {role}.input.channels=…"
        raise UserError(f"the network does not take an input of {shape} ({said}){advice}") from error


def tried(network: nn.Module, run: Callable[[], T], contract: Preprocessing, role: str = "target") -> T:
    """`run()`, the network's first pass; again in fp32 where it fails and the network holds other floating types."""
    with first_pass(contract, role):
        try:
            return run()
        except Exception:
            if all(p.dtype is torch.float32 or not p.is_floating_point() for p in network.parameters()):
                raise
            network.float()
            return run()


def initialise(network: nn.Module, contract: Preprocessing) -> None:
    """Give lazy modules that have not run yet their shapes and their random weights, by a pass of two images."""
    if lazy(network):
        training = network.training
        network.eval()
        with torch.no_grad():
            tried(network, lambda: network(contract.normalise(noise(contract))), contract)
        network.train(training)


def settle(reader: Features, role: str = "target") -> Features:
    """`reader` as it runs best, found out on two images: its memory format, and how many images it needs at once.

    UserError where it does not run. Where the rows of a batch depend on each other, that is printed.
    """
    images = noise(reader.contract)

    def run(channels_last: bool) -> list[Tensor]:
        reader.channels_last = channels_last
        x = images.clone().requires_grad_()
        activations, output = reader.whole(x)
        weighted = [_weighted(activation) for activation in activations.values() if activation.requires_grad]
        if channels_last and weighted:  # not compared: at a nonlinearity's kink it may go either way
            torch.autograd.grad(torch.stack(weighted).sum(), x, allow_unused=True)
        return [tensor.detach() for tensor in (*activations.values(), *parts(output).values())]

    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        last = tried(reader.network, lambda: layout.settle(reader.network, run), reader.contract, role)
    reader.channels_last = last
    with torch.no_grad(), torch.random.fork_rng(devices=[]), first_pass(reader.contract, role):
        if not _rows_apart(reader, images):
            print(f"note: the {role} gives an image other values beside other images (batch statistics, or chance): "
                  "its rows depend on the rows beside them, and on batch_size")  # fmt: skip
    return reader


def _weighted(activation: Tensor) -> Tensor:
    """Not the plain sum, which is constant behind a softmax or a layer norm."""
    weights = torch.rand(activation.shape, generator=torch.Generator().manual_seed(0)).to(activation)
    return (weights * activation).sum()


def _rows_apart(reader: Features, images: Tensor) -> bool:
    """Whether the first image gives alone what it gives beside the second; sets `reader.least`."""
    together = {layer: value[:1] for layer, value in reader.all(images).items()}
    try:
        alone = reader.all(images[:1])
        fits = all(alone[layer].shape == value.shape for layer, value in together.items())
    except Exception:  # as `squeeze` and batch norms fail of one row
        fits = False
    if not fits:
        reader.least = 2
        alone = reader.all(images[:1])
    return all(close(alone[layer], value) for layer, value in together.items() if alone[layer].shape == value.shape)


def check(target: Features, images: Tensor, arithmetic: str = "32-true") -> Tensor:
    """The activations (N, ...) for some images (N, C, H, W), after making sure that a climb in `arithmetic` can work.

    Raises UserError if the network trains, has trainable parameters, gives no finite output, or cuts the gradient.
    """
    if any(module.training for module in target.network.modules()):
        raise UserError("the target is in training mode: call .eval() on it")
    if any(parameter.requires_grad for parameter in target.network.parameters()):
        raise UserError("the target has trainable parameters: call .requires_grad_(False) on it")
    images = images.detach().clone().requires_grad_()
    layer = target.layers[0]
    with torch.enable_grad():
        with first_pass(target.contract):
            activation = target(images)
        if activation.ndim not in (2, 3, 4) or len(activation) != len(images):
            raise UserError(f"the layer {layer!r} gives {tuple(activation.shape)} for {len(images)} images: choose one "
                            "that gives a vector (N, D), a map (N, C, H, W) or tokens (N, T, D)")  # fmt: skip
        if not torch.isfinite(activation).all():
            raise UserError(f"the layer {layer!r} gives NaN or inf on noise in [0, 1]: check weights and input")
        if not activation.requires_grad:
            raise UserError("no gradient reaches the image: the target's forward pass detaches it (torch.no_grad?)")
        try:
            (gradient,) = torch.autograd.grad(_weighted(activation), images, allow_unused=True)
        except RuntimeError as error:
            hint = "; switch its gradient checkpointing off" if "reentrant" in str(error) else ""
            raise UserError(f"the target's gradient cannot be computed ({first_line(error)}){hint}") from error
    if gradient is None or not torch.isfinite(gradient).all() or not gradient.any():
        raise UserError("no usable gradient reaches the image: some operation of the target has none")
    check_arithmetic(target, lambda x: [target(x)], images, arithmetic)
    return activation.detach()


def check_arithmetic(
    network: nn.Module, run: Callable[[Tensor], Iterable[Tensor]], images: Tensor, arithmetic: str, role: str = "target"
) -> None:
    """UserError where `run`, which passes images through `network`, fails in mixed precision, forward or backward."""
    if "mixed" not in arithmetic:
        return
    x = images.detach().clone().requires_grad_()
    try:
        with torch.enable_grad(), torch.random.fork_rng(devices=[]), precision.prepared(network):
            with torch.autocast(x.device.type, torch.bfloat16):  # of 16-mixed the types are mixed at the same places
                weighted = torch.stack([_weighted(value) for value in run(x)]).sum()
                torch.autograd.grad(weighted, x, allow_unused=True)
    except RuntimeError as error:
        raise UserError(f"the {role} runs in fp32 but not in {arithmetic} ({first_line(error)}): "
                        "set trainer.precision=32-true") from error  # fmt: skip
