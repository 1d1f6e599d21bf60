"""Batch norms of a frozen network, folded into the layers before them: the same function, less work."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import fx, nn
from torch.nn.functional import batch_norm
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

FUSE: dict[type, Callable] = {nn.Conv2d: fuse_conv_bn_eval, nn.Linear: fuse_linear_bn_eval}
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class _Calls(fx.Tracer):
    """Sees a convolution, a linear layer and a batch norm as one call each, of whatever subclass they are."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, (*FUSE, *NORMS)) or super().is_leaf_module(module, name)


def fold(network: nn.Module, read: Sequence[str] = ()) -> nn.Module:
    """Fold, in place, every batch norm that alone reads the layer beside it, in eval mode.

    Names stay. A folded norm becomes an Identity, one with a nonlinearity of its own (timm's) what is left of it. A
    layer that is itself in `read` keeps its own output. A network whose forward pass cannot be traced stays as it is.
    """
    network.eval()
    try:
        graph = _Calls().trace(network)
    except Exception:  # whatever a network does with an input that is no tensor: it only stays slower
        return network
    for layer, norm in _pairs(graph):
        before, after = network.get_submodule(layer), network.get_submodule(norm)
        fuse = next((fuse for kind, fuse in FUSE.items() if isinstance(before, kind)), None)
        rest = _rest(after) if isinstance(after, NORMS) else None
        if fuse and rest is not None and layer not in read:
            network.set_submodule(layer, fuse(before, after))
            network.set_submodule(norm, rest)
    return network


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


def _rest(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> nn.Module | None:
    """What a batch norm does after normalising: nothing, or its children in their order; None where that is not it."""
    if norm.running_mean is None:
        return None
    if type(norm) in NORMS:
        return nn.Identity()
    rest = nn.Sequential(OrderedDict(norm.named_children()))
    mean = norm.running_mean
    x = mean + torch.linspace(-3, 3, 7).to(mean)[:, None]
    x = x if isinstance(norm, nn.BatchNorm1d) else x[..., None, None]
    with torch.no_grad():
        plain = batch_norm(x, mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
        return rest if torch.equal(rest(plain), norm(x)) else None
