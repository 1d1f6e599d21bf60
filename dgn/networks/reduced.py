"""Images at half their size: what an enlarger inverts."""

from torch import Tensor, nn
from torch.nn import functional as F

from dgn.base.precision import full


class Reduced(nn.Module):
    """Images (N, C, 2H, 2W) in [0, 1] to (N, C, H, W), by antialiased bicubic interpolation, clipped to [0, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(full(x), scale_factor=0.5, mode="bicubic", antialias=True).clamp(0, 1)
