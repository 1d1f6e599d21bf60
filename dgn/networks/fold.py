"""Batch norms of a frozen network, folded into the layers before them: the same function, less work."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

PAIRS: dict[tuple[type, type], Callable] = {
    (nn.Conv2d, nn.BatchNorm2d): fuse_conv_bn_eval,
    (nn.Linear, nn.BatchNorm1d): fuse_linear_bn_eval,
}


def fold(network: nn.Module, read: Sequence[str] = ()) -> nn.Module:
    """Fold, in place, every batch norm that directly follows its layer in a Sequential, in eval mode.

    Names stay; a folded norm becomes an Identity. A layer that is itself in `read` keeps its own output.
    """
    network.eval()
    for path, parent in list(network.named_modules()):
        if not isinstance(parent, nn.Sequential):
            continue
        names = list(parent._modules)
        for name, after in pairwise(names):
            fuse = PAIRS.get((type(parent._modules[name]), type(parent._modules[after])))
            if fuse and f"{path}.{name}".lstrip(".") not in read:
                setattr(parent, name, fuse(parent._modules[name], parent._modules[after]))
                setattr(parent, after, nn.Identity())
    return network
