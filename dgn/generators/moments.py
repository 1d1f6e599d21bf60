"""Moments of a layer's codes on real images, streamed and exact."""

from collections.abc import Mapping

import torch
from torch import Tensor

from dgn.base.tensors import half
from dgn.generators.spread import Spread, pseudo_inverse


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
            along it; of a map code (n, C) along its channels, see `spread.Spread.axes`. None for codes that are too
            large, with fewer codes than elements (the covariance is rank-deficient), and after codes were added to
            moments that were read from a bundle, which does not hold the covariance.
        position_axes: (m, H·W) the same of a map code along its positions; None without axes, and for vectors.
        centre: the mean code, of `code_shape`, about which the axes are measured; None without axes.
        inverse_axes: (D, n) the pseudo-inverse of `axes`, computed once; None without axes.
    """

    def __init__(self, per_element: bool = False) -> None:
        self.per_element = per_element
        self.count = 0
        self._spread: Spread | None = None
        self._forget_axes()

    def _forget_axes(self) -> None:
        """The axes are as read from a bundle, or as computed from the spread."""
        self._axes: Tensor | None = None
        self._position_axes: Tensor | None = None
        self._centre: Tensor | None = None
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
            Spread.of(codes),
        )

    def _merge(
        self,
        count: int,
        mean: Tensor,
        variance: Tensor,
        minimum: Tensor,
        negative: Tensor,
        spread: Spread | None,
    ) -> None:
        self._forget_axes()
        if not self.count:
            self.count, self._mean, self._variance = count, mean, variance
            self._minimum, self._negative, self._spread = minimum, negative, spread
            return
        if mean.shape != self._mean.shape:
            raise ValueError(f"codes of {tuple(mean.shape)} do not go with those of {tuple(self._mean.shape)} before")
        total = self.count + count
        share, gap = count / total, mean - self._mean
        self._variance = self._variance * (1 - share) + variance * share + gap**2 * share * (1 - share)
        both = self._spread is not None and spread is not None  # that of a part says nothing of the whole
        self._spread = self._spread.merged(spread) if both else None  # type: ignore[union-attr, arg-type]
        self._mean = self._mean + gap * share
        self._minimum = torch.minimum(self._minimum, minimum)
        self._negative = self._negative * (1 - share) + negative * share
        self.count = total

    def merge(self, other: "Moments") -> None:
        """Take in what another stream has seen, as if its codes had come here."""
        if not other.count:
            return
        alone = not self.count
        self._merge(other.count, other._mean, other._variance, other._minimum, other._negative, other._spread)
        if alone:
            self._axes, self._position_axes, self._centre = other._axes, other._position_axes, other._centre

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
        if self._axes is None and self._spread is not None and (axes := self._spread.axes()):
            self._axes, self._position_axes = axes
            self._centre = self._spread.centre.float().view(self._spread.shape)
        return self._axes

    @property
    def position_axes(self) -> Tensor | None:
        return self._position_axes if self.axes is not None else None

    @property
    def centre(self) -> Tensor | None:
        return self._centre if self.axes is not None else None

    @property
    def inverse_axes(self) -> Tensor | None:
        if self._inverse_axes is None and self.axes is not None:
            self._inverse_axes = pseudo_inverse(self.axes)
        return self._inverse_axes

    @property
    def scale(self) -> float:
        """One number for the code's spread: the root mean square of the elements' standard deviations."""
        return float(self._variance.mean().sqrt())

    def tensors(self) -> dict[str, Tensor]:
        """The moments as named tensors, for a bundle; the axes, by far the largest, as fp16."""
        names = ("mean", "std", "minimum", "negative")
        tensors = {name: getattr(self, name).contiguous() for name in names} | {"count": torch.tensor(self.count)}
        if self.axes is None:
            return tensors
        tensors["axes"] = half(self.axes)
        if self.position_axes is not None and self.centre is not None:
            tensors |= {"position_axes": half(self.position_axes), "centre": self.centre.contiguous()}
        return tensors

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "Moments":
        """The inverse of `tensors`."""
        mean = tensors["mean"]
        moments = cls(per_element=mean.ndim == 3 and mean.shape[1:] != (1, 1))
        moments.count = int(tensors["count"])
        moments._mean, moments._variance = mean.double(), tensors["std"].double() ** 2
        moments._minimum, moments._negative = tensors["minimum"].double(), tensors["negative"].double()
        if "axes" in tensors:
            moments._axes = tensors["axes"].float()
            moments._centre = tensors.get("centre", mean).float()
        if "position_axes" in tensors:
            moments._position_axes = tensors["position_axes"].float()
        return moments
