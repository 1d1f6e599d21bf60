"""Moments of a layer's codes on real images, streamed and exact."""

from collections.abc import Mapping

import torch
from torch import Tensor

from dgn.base.tensors import half

EXPLAINED = 0.9  # of the variance, by the axes that are kept: of fc6's 1024 elements 369
FEWEST = 64  # axes: two hold nine tenths of a small network's code, but not what tells its classes apart
FIRM = 1e-6  # of the variance: an axis with less is none
WIDEST = 4096  # elements whose covariance is measured: that of the paper's fc layers takes 128 MiB


class Moments:
    """Count, mean, standard deviation, minimum and share of negatives of codes, per element.

    A vector code (N, D) is measured per element. A map code (N, C, H, W) is measured per channel over all positions,
    or per element with `per_element`. Sums run in float64, batches merge exactly (Chan et al., 1979), in any order.
    ValueError for codes of another shape than those before.

    Attributes:
        per_element: whether a map code is measured per element.
        count: values seen per element.
        mean, std, minimum, negative: fp32, shaped to broadcast against one code: (D,), (C, 1, 1) or (C, H, W).
            `std` divides by the count, `negative` is a share in [0, 1].
        axes: (n, D) principal axes of a vector code, the longest first, each as long as the codes' standard deviation
            along it; as many as explain nine tenths of the variance, and 64 or all that have any. None for maps, for
            vectors of more than 4096 elements, with fewer codes than elements (the covariance is rank-deficient), and
            after codes were added to moments that were read from a bundle, which does not hold the covariance.
        inverse_axes: (D, n) the pseudo-inverse of `axes`, computed once; None without axes.
    """

    def __init__(self, per_element: bool = False) -> None:
        self.per_element = per_element
        self.count = 0
        self._covariance: Tensor | None = None
        self._axes: Tensor | None = None  # as read from a bundle, or as computed from the covariance
        self._inverse_axes: Tensor | None = None

    def update(self, codes: Tensor) -> None:
        """Take in a batch of codes, (N, D) or (N, C, H, W)."""
        if not len(codes):
            return
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
        self._axes = self._inverse_axes = None
        if not self.count:
            self.count, self._mean, self._variance = count, mean, variance
            self._minimum, self._negative, self._covariance = minimum, negative, covariance
            return
        if mean.shape != self._mean.shape:
            raise ValueError(f"codes of {tuple(mean.shape)} do not go with those of {tuple(self._mean.shape)} before")
        total = self.count + count
        share, gap = count / total, mean - self._mean
        self._variance = self._variance * (1 - share) + variance * share + gap**2 * share * (1 - share)
        if self._covariance is None or covariance is None:
            self._covariance = None  # that of a part says nothing of the whole
        else:
            between = gap.outer(gap) * share * (1 - share)
            self._covariance = self._covariance * (1 - share) + covariance * share + between
        self._mean = self._mean + gap * share
        self._minimum = torch.minimum(self._minimum, minimum)
        self._negative = self._negative * (1 - share) + negative * share
        self.count = total

    def merge(self, other: "Moments") -> None:
        """Take in what another stream has seen, as if its codes had come here."""
        if not other.count:
            return
        axes = None if self.count else other._axes
        self._merge(other.count, other._mean, other._variance, other._minimum, other._negative, other._covariance)
        self._axes = axes

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
        if self._axes is None and self._covariance is not None and self.count >= len(self._covariance):
            variance, directions = torch.linalg.eigh(self._covariance)  # in ascending order
            variance, directions = variance.flip(0).clamp_min(0), directions.T.flip(0)
            enough = int((variance.cumsum(0) < EXPLAINED * variance.sum()).sum()) + 1
            enough = max(enough, min(FEWEST, int((variance > FIRM * variance.sum()).sum())))
            self._axes = (variance[:enough, None].sqrt() * directions[:enough]).float()
        return self._axes

    @property
    def inverse_axes(self) -> Tensor | None:
        if self._inverse_axes is None and self.axes is not None:
            self._inverse_axes = _pseudo_inverse(self.axes)
        return self._inverse_axes

    @property
    def scale(self) -> float:
        """One number for the code's spread: the root mean square of the elements' standard deviations."""
        return float(self._variance.mean().sqrt())

    def tensors(self) -> dict[str, Tensor]:
        """The moments as named tensors, for a bundle; the axes, by far the largest, as fp16."""
        names = ("mean", "std", "minimum", "negative")
        tensors = {name: getattr(self, name).contiguous() for name in names} | {"count": torch.tensor(self.count)}
        return tensors if self.axes is None else tensors | {"axes": half(self.axes)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "Moments":
        """The inverse of `tensors`."""
        mean = tensors["mean"]
        moments = cls(per_element=mean.ndim == 3 and mean.shape[1:] != (1, 1))
        moments.count = int(tensors["count"])
        moments._mean, moments._variance = mean.double(), tensors["std"].double() ** 2
        moments._minimum, moments._negative = tensors["minimum"].double(), tensors["negative"].double()
        moments._axes = tensors["axes"].float() if "axes" in tensors else None
        return moments


def _pseudo_inverse(axes: Tensor) -> Tensor:
    """(D, n) of axes (n, D), which are orthogonal up to rounding, without the singular values that `pinv` computes.

    Of orthogonal rows it is their transpose over their squared lengths. One step of Newton's method squares the error
    that fp16 rounding of the axes leaves there (1e-3 of a code's coordinates), to that of fp32.
    """
    squared = axes.square().sum(1)
    first = axes.T / squared.clamp_min(torch.finfo(squared.dtype).tiny)
    product = axes @ first
    if not torch.allclose(product, torch.diag((squared > 0).to(product)), atol=1e-2):
        return torch.linalg.pinv(axes)  # axes that nothing here made
    return 2 * first - first @ product
