"""Moments: what a layer's codes look like on real images, streamed and exact."""

from collections.abc import Mapping

import torch
from torch import Tensor

EXPLAINED = 0.9  # of the variance, by the axes that are kept: of fc6's 1024 elements 369
WIDEST = 4096  # elements whose covariance is measured: that of the paper's fc layers takes 128 MiB


class Moments:
    """Count, mean, standard deviation, minimum and share of negatives of codes, per element.

    A vector code (N, D) is measured per element. A map code (N, C, H, W) is measured per channel over all positions,
    or per element with `per_element`. Sums run in float64, batches merge exactly (Chan et al., 1979), in any order.

    Attributes:
        count: values seen per element.
        mean, std, minimum, negative: fp32, shaped to broadcast against one code: (D,), (C, 1, 1) or (C, H, W).
            `std` divides by the count, `negative` is a share in [0, 1].
        axes: (n, D) principal axes of a vector code, the longest first, each as long as the codes' standard deviation
            along it; as many as explain nine tenths of the variance. None for maps, for vectors of more than 4096
            elements, and where fewer codes than elements were seen, whose axes would be of chance.
    """

    def __init__(self, per_element: bool = False) -> None:
        self.per_element = per_element
        self.count = 0
        self._covariance: Tensor | None = None
        self._axes: Tensor | None = None

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
            codes.T.cov(correction=0).view(shape * 2) if codes.ndim == 2 and codes.shape[1] <= WIDEST else None,
        )

    def _merge(
        self,
        count: int,
        mean: Tensor,
        variance: Tensor,
        minimum: Tensor,
        negative: Tensor,
        covariance: Tensor | None,
    ) -> None:
        if not self.count:
            self.count, self._mean, self._variance = count, mean, variance
            self._minimum, self._negative, self._covariance = minimum, negative, covariance
            return
        total = self.count + count
        share, gap = count / total, mean - self._mean
        self._variance = self._variance * (1 - share) + variance * share + gap**2 * share * (1 - share)
        if self._covariance is not None and covariance is not None:
            self._covariance = (
                self._covariance * (1 - share) + covariance * share + gap.outer(gap) * share * (1 - share)
            )
        self._mean = self._mean + gap * share
        self._minimum = torch.minimum(self._minimum, minimum)
        self._negative = self._negative * (1 - share) + negative * share
        self.count = total

    def merge(self, other: "Moments") -> None:
        """Take in what another stream has seen, as if its codes had come here."""
        if other.count:
            self._merge(other.count, other._mean, other._variance, other._minimum, other._negative, other._covariance)

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
    def axes(self) -> Tensor | None:
        if self._covariance is None or self.count < len(self._covariance):
            return self._axes
        variance, directions = torch.linalg.eigh(self._covariance)  # in ascending order
        variance, directions = variance.flip(0).clamp_min(0), directions.T.flip(0)
        enough = int((variance.cumsum(0) < EXPLAINED * variance.sum()).sum()) + 1
        return (variance[:enough, None].sqrt() * directions[:enough]).float()

    @property
    def scale(self) -> float:
        """One number for the code's spread: the root mean square of the elements' standard deviations."""
        return float(self._variance.mean().sqrt())

    def tensors(self) -> dict[str, Tensor]:
        """The moments as named tensors, for a bundle; the axes, by far the largest, as fp16."""
        names = ("mean", "std", "minimum", "negative")
        found = {name: getattr(self, name).contiguous() for name in names} | {"count": torch.tensor(self.count)}
        axes = self.axes
        return found if axes is None else found | {"axes": axes.half().contiguous()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "Moments":
        """The inverse of `tensors`."""
        moments = cls()
        moments.count = int(tensors["count"])
        moments._mean, moments._variance = tensors["mean"].double(), tensors["std"].double() ** 2
        moments._minimum, moments._negative = tensors["minimum"].double(), tensors["negative"].double()
        moments._axes = tensors["axes"].float() if "axes" in tensors else None
        return moments
