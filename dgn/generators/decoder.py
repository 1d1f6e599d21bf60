"""Any network that makes images from codes, as a G."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dgn.base.errors import UserError
from dgn.base.precision import full
from dgn.generators import Generator
from dgn.generators.moments import Moments


class Decoder(Generator):
    """Codes (N, *code_shape) to images (N, C, H, W), those of `network` brought from `black`-`white` to [0, 1].

    Args:
        network: put in eval mode, its parameters are frozen.
        code_shape: of one code.
        black, white: what the network gives for them.

    Raises UserError where the network takes no such codes or gives no images.
    """

    def __init__(self, network: nn.Module, code_shape: Sequence[int], black: float, white: float) -> None:
        super().__init__()
        network.eval()  # not chained: a train() of the user's own may return nothing
        network.requires_grad_(False)
        self.network = network
        self.code_shape, self.black, self.white = tuple(code_shape), black, white
        self.args = {}
        try:
            with torch.no_grad():
                image = self(torch.zeros(1, *code_shape))
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            raise UserError(f"the generator does not take a code of shape {self.code_shape} ({error})") from None
        if image.ndim != 4:
            raise UserError(f"the generator gives {tuple(image.shape)}: it must give images (N, C, H, W)")
        self.size = image.shape[-1]

    def train(self, mode: bool = True) -> "Decoder":
        """Stays in eval mode."""
        return super().train(False)

    def forward(self, code: Tensor) -> Tensor:
        return (full(self.network(code)) - self.black) / (self.white - self.black)


def measured(codes: Tensor) -> Moments:
    """The moments of real codes, (M, *code_shape), M ≥ 2."""
    if len(codes) < 2 or not torch.isfinite(codes).all():
        raise UserError(f"moments are measured on two finite codes or more, (M, ...), not on {tuple(codes.shape)}")
    found = Moments()
    found.update(codes)
    return Moments.from_tensors(found.tensors())  # with the axes computed, once


def given(shape: Sequence[int], mean: float, std: float, signed: bool) -> Moments:
    """Moments that are the same for every element: of a normal latent, `signed`, mean 0 and std 1."""
    whole = torch.ones(shape[0], *[1] * (len(shape) - 1))
    negative = whole * (0.5 if signed else 0)
    tensors = {"mean": mean * whole, "std": std * whole, "minimum": -negative, "negative": negative}
    return Moments.from_tensors(tensors | {"count": torch.tensor(1)})
