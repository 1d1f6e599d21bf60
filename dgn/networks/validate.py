"""Check on two images, before any work, that a network can be used; each failure is one sentence."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from dgn.base import precision
from dgn.base.errors import UserError, first_line
from dgn.base.images import px, sides
from dgn.networks import layout
from dgn.networks.features import Features, lazy
from dgn.networks.layout import close
from dgn.networks.outputs import parts
from dgn.networks.preprocessing import Preprocessing

T = TypeVar("T")
# error messages that another input size or channel count may fix, and messages that only look like those
OF_SHAPES = re.compile(r"size|shape|channel|height|width|dimension|elements|multipl|divi|AssertionError", re.IGNORECASE)
OF_OTHERS = re.compile(r"dtype|type|size and stride|more than 1 value per channel|argument|inference", re.IGNORECASE)


def noise(contract: Preprocessing, count: int = 2) -> Tensor:
    """The same images (count, C, H, W) of uniform noise in [0, 1] each time, of a network's own size and channels."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, contract.channels, *sides(contract.size), generator=generator)


@contextmanager
def first_pass(contract: Preprocessing, role: str = "target") -> Iterator[None]:
    """The first forward pass of a network: its errors become one sentence with what to set."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        shape, said = (2, contract.channels, *sides(contract.size)), first_line(error)
        advice = ""
        if OF_SHAPES.search(said) and not OF_OTHERS.search(said):
            advice = f": set {role}.input.size=… or {role}.input.channels=…"
            advice += ", in Python input={'size': …}" if role == "target" else ""
        raise UserError(f"the network fails on an input of shape {shape} ({said}){advice}") from error


def tried(network: nn.Module, run: Callable[[], T], contract: Preprocessing, role: str = "target") -> T:
    """`run()`, the network's first pass; retried in fp32 if it fails and the network has other floating types."""
    with first_pass(contract, role):
        try:
            return run()
        except Exception:
            if all(p.dtype is torch.float32 or not p.is_floating_point() for p in network.parameters()):
                raise
            network.float()
            return run()


def initialise(network: nn.Module, contract: Preprocessing, role: str = "target") -> None:
    """Initialise lazy modules by a pass of two images; messages call the network's settings by its `role`."""
    if lazy(network):
        training = network.training
        network.eval()
        with torch.no_grad():
            tried(network, lambda: network(contract.normalise(noise(contract))), contract, role)
        network.train(training)


def settle(reader: Features, role: str = "target") -> Features:
    """Find the memory format and minimum batch size of `reader` on two images.

    UserError if it fails. Prints a note if the rows of a batch depend on each other, and a warning if the network fails
    behind its layers, as it does on images of another size than its own.
    """
    images, whole = noise(reader.contract), True

    def run(channels_last: bool) -> list[Tensor]:
        reader.channels_last = channels_last
        x = images.clone().requires_grad_()
        nonlocal whole
        activations, output = reader.whole(x)
        whole = whole and output is not None
        weighted = [_weighted(activation) for activation in activations.values() if activation.requires_grad]
        if channels_last and weighted:  # not compared: at a nonlinearity's kink it may go either way
            torch.autograd.grad(torch.stack(weighted).sum(), x, allow_unused=True)
        return [tensor.detach() for tensor in (*activations.values(), *parts(output).values())]

    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        last = tried(reader.network, lambda: layout.settle(reader.network, run), reader.contract, role)
    reader.channels_last = last
    if not whole:
        print(f"warning: the {role} fails behind {', '.join(reader.layers)} on images of "
              f"{px(reader.contract.size)}: set {role}.input.size if it was trained at another size")  # fmt: skip
    with torch.no_grad(), torch.random.fork_rng(devices=[]), first_pass(reader.contract, role):
        if not _rows_apart(reader, images):
            print(f"note: the {role}'s values for an image depend on the other images in its batch (batch statistics "
                  "or randomness), so the results depend on batch_size")  # fmt: skip
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


def check(target: Features, images: Tensor, arithmetic: str = "32-true") -> dict[str, Tensor]:
    """The activations (N, ...) by layer for images (N, C, H, W), after checking that an ascent in `arithmetic` works.

    Raises UserError if the network is in training mode, has trainable parameters, returns NaN or inf, or cuts the
    gradient.
    """
    if any(module.training for module in target.network.modules()):
        raise UserError("the target is in training mode: call .eval() on it")
    if any(parameter.requires_grad for parameter in target.network.parameters()):
        raise UserError("the target has trainable parameters: call .requires_grad_(False) on it")
    images = images.detach().clone().requires_grad_()
    with torch.enable_grad():
        with first_pass(target.contract):
            activations = target.all(images)
        for layer, activation in activations.items():
            _check_layer(layer, activation, images)
    check_arithmetic(target, lambda x: target.all(x).values(), images, arithmetic)
    return {layer: activation.detach() for layer, activation in activations.items()}


def _check_layer(layer: str, activation: Tensor, images: Tensor) -> None:
    """UserError if a layer's activation for some images is no basis of an ascent."""
    if activation.ndim not in (2, 3, 4) or len(activation) != len(images):
        raise UserError(f"the layer {layer!r} returns {tuple(activation.shape)} for {len(images)} images: choose "
                        "one that returns vectors (N, D), maps (N, C, H, W) or tokens (N, T, D)")  # fmt: skip
    if not torch.isfinite(activation).all():
        raise UserError(f"the layer {layer!r} returns NaN or inf for noise images: check the weights and "
                        "input.mean, input.std and input.scale")  # fmt: skip
    if not activation.requires_grad:
        raise UserError("no gradient reaches the image, because the target's forward pass detaches it: remove "
                        "torch.no_grad or .detach() from it")  # fmt: skip
    try:
        (gradient,) = torch.autograd.grad(_weighted(activation), images, allow_unused=True, retain_graph=True)
    except RuntimeError as error:
        hint = "; switch its gradient checkpointing off" if "reentrant" in str(error) else ""
        raise UserError(f"cannot compute the target's gradient ({first_line(error)}){hint}") from error
    if gradient is None or not torch.isfinite(gradient).all() or not gradient.any():
        raise UserError("the gradient at the image is zero, NaN or missing: look for an operation of the target "
                        "without a gradient, such as argmax or round")  # fmt: skip


def check_arithmetic(
    network: nn.Module, run: Callable[[Tensor], Iterable[Tensor]], images: Tensor, arithmetic: str, role: str = "target"
) -> None:
    """UserError if `run`, which passes images through `network`, fails in mixed precision, forward or backward."""
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
