"""Fold the batch norms of a frozen network into the layers before them: the same function, faster."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from threading import Lock, get_ident
from typing import Any, cast

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.nn.utils.parametrize import is_parametrized

FUSE: dict[type, Callable] = {nn.Conv2d: fuse_conv_bn_eval, nn.Linear: fuse_linear_bn_eval}
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
ONE_AT_A_TIME = Lock()


class _Calls(fx.Tracer):
    """Sees a convolution, a linear layer and a batch norm as one call each, of whatever subclass they are.

    While it traces, fx catches the calls of every module of the process: those of other threads are let through, and
    there must be one tracer at a time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.thread = get_ident()

    def call_module(self, m: nn.Module, forward: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
        """A call that is noted, or that of another thread as it is."""
        return super().call_module(m, forward, args, kwargs) if get_ident() == self.thread else forward(*args, **kwargs)

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, (*FUSE, *NORMS)) or super().is_leaf_module(module, name)


def fold(network: nn.Module, read: Sequence[str] = ()) -> nn.Module:
    """Fold, in place, every batch norm that alone reads the layer beside it, in eval mode.

    Names stay. A folded norm becomes an Identity, one with a nonlinearity of its own (timm's) what is left of it. A
    layer that is itself in `read` keeps its own output. A network whose forward pass cannot be traced stays as it is.
    """
    network.eval()
    try:
        with ONE_AT_A_TIME:
            # a copy, since a network that keeps something from its first pass would keep what only stands for a tensor
            graph = _Calls().trace(_copied(network))
    except Exception:  # whatever a network does with an input that is no tensor: it only stays slower
        return network
    for layer, norm in _pairs(graph):
        folded = _folded(network.get_submodule(layer), network.get_submodule(norm)) if layer not in read else None
        if folded:
            network.set_submodule(layer, folded[0])
            network.set_submodule(norm, folded[1])
    return network


def _copied(network: nn.Module) -> nn.Module:
    """The network with modules, buffers and attributes of its own; parameters, which are large, are shared."""
    return deepcopy(network, {id(parameter): parameter for parameter in network.parameters()})


def _pairs(graph: fx.Graph) -> Iterator[tuple[str, str]]:
    """Names of two modules of one parent, each run once, the second being the only reader of the first."""
    calls = [node for node in graph.nodes if node.op == "call_module"]
    times = Counter(node.target for node in calls)
    for node in calls:
        source = node.args[0] if node.args else None
        if not isinstance(source, fx.Node) or source.op != "call_module" or len(source.users) > 1:
            continue
        layer, norm = str(source.target), str(node.target)
        if times[layer] == times[norm] == 1 and layer.rpartition(".")[0] == norm.rpartition(".")[0]:
            yield layer, norm


def _folded(before: nn.Module, norm: nn.Module) -> tuple[nn.Module, nn.Module] | None:
    """The layer with the norm in its weights, and what is left of the norm; None where these are another function.

    Subclasses may do more than the class they come from, such as standardise their weights: so both are tried on noise.
    """
    fuse = next((fuse for kind, fuse in FUSE.items() if isinstance(before, kind)), None)
    if fuse is None or not isinstance(norm, NORMS) or norm.running_mean is None or _changed(before) or _changed(norm):
        return None
    rest = nn.Identity() if type(norm) in NORMS else nn.Sequential(OrderedDict(norm.named_children()))
    fused = fuse(before, norm)
    x = torch.randn(2, *_input(before), generator=torch.Generator().manual_seed(0)).to(norm.running_mean)
    with torch.no_grad():
        expected, actual = norm(before(x)), rest(fused(x))
    slack = 1e-3 * expected.abs().max()  # NaN where the weights are: then nothing is folded
    return (fused, rest) if bool((actual - expected).abs().max() <= slack) else None


def _changed(layer: nn.Module) -> bool:
    """Whether something stands between a layer's parameters and its forward pass, as weight norm does."""
    return bool(layer._forward_pre_hooks or layer._forward_hooks) or is_parametrized(layer)


def _input(layer: nn.Module) -> tuple[int, ...]:
    """The shape of one small input: a little larger than a convolution's kernel."""
    if isinstance(layer, nn.Conv2d):
        return layer.in_channels, *(d * (k - 1) + 2 for k, d in zip(layer.kernel_size, layer.dilation, strict=True))
    return (int(cast(nn.Linear, layer).in_features),)
