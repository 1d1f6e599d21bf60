"""A network of which one method is the decoder: `decode` of an autoencoder, `synthesis` of a GAN."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from dgn.base.errors import UserError, nearest


class Called(nn.Module):
    """Codes to whatever `network.METHOD(code, **arguments)` returns.

    The code is the first argument. Other parts of the network, such as an autoencoder's encoder, stay unused.

    Args:
        network: any module.
        method: of it, or a part of it, by its dotted name: "decode", "generator".
        arguments: further keyword arguments, the same for all codes: plain data.

    Raises UserError if the network has no such method or part.
    """

    def __init__(self, network: nn.Module, method: str, arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.network, self.arguments = network, dict(arguments)
        self.path = method.split(".")
        found: Any = network
        for name in self.path:
            if not hasattr(found, name):
                names = [one for one in dir(found) if not one.startswith("_")]
                raise UserError(f"{type(found).__name__} has no {name!r}: {nearest(name, names)}")
            found = getattr(found, name)
        if not callable(found):
            raise UserError(f"{method} of {type(network).__name__} is a {type(found).__name__}: set args.method to a "
                            "method or a part that makes images of codes")  # fmt: skip

    def forward(self, code: Tensor) -> Any:
        """Codes (N, ...) to the method's output, in which `Decoder` finds the images."""
        method: Any = self.network
        for name in self.path:
            method = getattr(method, name)
        return method(code, **self.arguments)
