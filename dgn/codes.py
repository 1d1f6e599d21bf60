"""Moments: what a layer's codes look like on real images, streamed and exact."""

from collections.abc import Mapping

import torch
from torch import Tensor


class Moments:
    """Count, mean, standard deviation, minimum and share of negatives of codes, per element.

    A vector code (N, D) is measured per element. A map code (N, C, H, W) is measured per channel over all positions,
    or per element with `per_element`. Sums run in float64, batches merge exactly (Chan et al., 1979), in any order.

    Attributes:
        count: values seen per element.
        mean, std, minimum, negative: fp32, shaped to broadcast against one code: (D,), (C, 1, 1) or (C, H, W).
            `std` divides by the count, `negative` is a share in [0, 1].
    """

    def __init__(self, per_element: bool = False) -> None:
        self.per_element = per_element
        self.count = 0

    def update(self, codes: Tensor) -> None:
        """Take in a batch of codes, (N, D) or (N, C, H, W)."""
        over = (0, 2, 3) if codes.ndim == 4 and not self.per_element else (0,)
        codes = codes.detach().double()
        shape = [1 if axis in over else side for axis, side in enumerate(codes.shape)][1:]
        self._merge(
            codes.numel() // torch.Size(shape).numel(),
            codes.mean(over).view(shape),
            codes.var(over, correction=0).view(shape),
            codes.amin(over).view(shape),
            (codes < 0).double().mean(over).view(shape),
        )

    def _merge(self, count: int, mean: Tensor, variance: Tensor, minimum: Tensor, negative: Tensor) -> None:
        if not self.count:
            self.count, self._mean, self._variance = count, mean, variance
            self._minimum, self._negative = minimum, negative
            return
        total = self.count + count
        share, gap = count / total, mean - self._mean
        self._variance = self._variance * (1 - share) + variance * share + gap**2 * share * (1 - share)
        self._mean = self._mean + gap * share
        self._minimum = torch.minimum(self._minimum, minimum)
        self._negative = self._negative * (1 - share) + negative * share
        self.count = total

    def merge(self, other: "Moments") -> None:
        """Take in what another stream has seen, as if its codes had come here."""
        if other.count:
            self._merge(other.count, other._mean, other._variance, other._minimum, other._negative)

    @property
    def mean(self) -> Tensor:
        return self._mean.float()

    @property
    def std(self) -> Tensor:
        return self._variance.clamp_min(0).sqrt().float()

    @property
    def minimum(self) -> Tensor:
        return self._minimum.float()

    @property
    def negative(self) -> Tensor:
        return self._negative.float()

    @property
    def rms(self) -> float:
        """Root mean square over all elements."""
        return float((self._variance + self._mean**2).mean().sqrt())

    @property
    def scale(self) -> float:
        """One number for the code's spread: the root mean square of the elements' standard deviations."""
        return float(self._variance.mean().sqrt())

    def tensors(self) -> dict[str, Tensor]:
        """The moments as named tensors, for a bundle."""
        names = ("mean", "std", "minimum", "negative")
        return {name: getattr(self, name).contiguous() for name in names} | {"count": torch.tensor(self.count)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "Moments":
        """The inverse of `tensors`."""
        moments = cls()
        moments.count = int(tensors["count"])
        moments._mean, moments._variance = tensors["mean"].double(), tensors["std"].double() ** 2
        moments._minimum, moments._negative = tensors["minimum"].double(), tensors["negative"].double()
        return moments
