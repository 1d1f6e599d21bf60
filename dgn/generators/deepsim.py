"""The paper's G for any code shape and image size: from a code to an image in [0, 1].

One string describes the layers, so the config reads like the paper's tables:
`fc4096` linear; `256x4x4` reshape; `d256` transposed convolution 4/2/1, doubles the side; `t512` transposed
convolution 3/1/1; `c64` convolution 3/1/1, `c384/3/1/0` with kernel/stride/padding; `shuffle3` convolution 3/1/1
to 4 · 3 channels and pixel shuffle, doubles the side. LeakyReLU follows every layer but the last and those whose word
ends in a minus (`d16-`). A plus (`d16+`) gives a layer a bias where it has none: from the first doubling on.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dgn.base import images
from dgn.base.errors import UserError
from dgn.base.precision import full
from dgn.generators.base import Generator

Count = Annotated[int, Field(ge=1, le=2**24)]
CodeShape = Annotated[Sequence[Count], Field(min_length=1, max_length=3)]
Number = Annotated[float, Field(ge=-1e38, le=1e38, allow_inf_nan=False)]  # what fp32 holds
Scale = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Size = Count | Annotated[list[Count], Field(min_length=2, max_length=2)]
Words = Annotated[str, Field(max_length=10_000)]


def pattern(code_shape: Sequence[int], size: int | Sequence[int], hidden: int, widths: Sequence[int]) -> str:
    """The words of a G in the paper's pattern for a measured code shape and an image size, pixels.

    A vector goes through two linear layers to a map of `widths[0]` channels, 4 to 7 pixels a side; a map is brought to
    the nearest side from which doubling meets `size`. Then one doubling per further width (the last width serves all
    that remain), each followed by a 3 × 3 layer; the last doubling is the pixel shuffle.
    """
    if len(code_shape) == 2:
        raise UserError(
            f"G cannot invert a code of {code_shape[0]} tokens: set encoder.layer=NAME@cls or NAME@mean for a vector"
        )
    (height, width), doublings = images.sides(size), 0
    most = (7, 7) if len(code_shape) == 1 else code_shape[-2:]
    while height > most[0] or width > most[1]:
        height, width, doublings = -(-height // 2), -(-width // 2), doublings + 1
    if doublings == 0:
        raise UserError(f"the code {tuple(code_shape)} is not smaller than the image ({images.px(size)}): set a deeper "
                        "encoder.layer or a larger data.crop")  # fmt: skip
    if len(code_shape) == 1:
        words = [f"fc{hidden}", f"fc{widths[0] * height * width}", f"{widths[0]}x{height}x{width}"]
    else:
        kernel = code_shape[-1] - width + 1
        if kernel != code_shape[-2] - height + 1:
            raise UserError(f"the paper's pattern does not lead from a code {tuple(code_shape)} to {images.px(size)}: "
                            "set generator.layers, or a vector as encoder.layer")  # fmt: skip
        words = [f"c{widths[0]}", f"c{widths[0]}/{kernel}/1/0"]
    for i in range(1, doublings):
        width = widths[min(i, len(widths) - 1)]
        words += [f"d{width}", f"c{width}"]
    return " ".join([*words, "shuffle3"])


def made_by(code_shape: Sequence[int], layers: str) -> tuple[int, int]:
    """Height and width of the images that these layers make of such codes, before the centre crop; runs no numbers.

    UserError if the layers do not lead from the code to an image.
    """
    with torch.device("meta"):
        try:
            network = nn.Sequential(*_build(layers.split(), code_shape[0], False, 0.0, {}))
            image = network(torch.zeros(1, *code_shape))
        except (RuntimeError, ValueError) as error:  # ValueError: a malformed number, or too many of them
            raise UserError(
                f"generator.layers do not fit a code of shape {tuple(code_shape)} ({error}): set other layers, or null"
            ) from None
    if image.ndim != 4 or image.shape[1] != 3:
        raise UserError(f"generator.layers end in {tuple(image.shape[1:])}, not in 3 channels: end them with d3, c3 or "
                        "shuffle3")  # fmt: skip
    return image.shape[-2], image.shape[-1]


class Deepsim(Generator):
    """G of DeePSiM: (N, D) or (N, C, H, W) codes to (N, 3, height, width) images, in [0, 1] but for a linear overshoot.

    Args:
        code_shape: (D,) or (C, H, W).
        size: of the image, pixels; the network's own output is cropped to its centre.
        layers: the words above.
        norm: batch norm after every layer but the last (the paper has none).
        slope: of the LeakyReLU; 0.3 in the released files.
        gains: per kind of layer, the coefficient on He's standard deviation (released: d 1.8, t 0.9, others 1).
        output: "tanh" for (tanh + 1) / 2, "caffe" for BGR minus the mean in 0-255, linear, as released for fc codes and
            pool5, "caffe_tanh" for the same as tanh × 255, as released for conv and norm codes.
        code_scale: what a code is divided by at the input, 1 in the paper.
    """

    def __init__(
        self,
        *,
        code_shape: CodeShape,
        size: Size,
        layers: Words,
        norm: bool,
        slope: Number,
        gains: dict[str, Number],
        output: Literal["tanh", "caffe", "caffe_tanh"],
        code_scale: Scale,
    ) -> None:
        super().__init__()
        self.args = {"code_shape": list(code_shape), "size": size, "layers": layers, "norm": norm, "slope": slope,
                     "gains": dict(gains), "output": output, "code_scale": code_scale}  # fmt: skip
        self.code_shape, self.size, self.output, self.code_scale = tuple(code_shape), size, output, code_scale
        self.layers = nn.Sequential(*_build(layers.split(), code_shape[0], norm, slope, gains))
        self.to(memory_format=torch.channels_last)

    @classmethod
    def for_codes(  # type: ignore[override]
        cls,
        codes: Tensor,
        *,
        size: Size,
        layers: Words | None,
        hidden: Count | None,
        widths: Annotated[Sequence[Count], Field(min_length=1)] | None,
        code_scale: Scale | None,
        tables: dict[str, Any] | None = None,
        **settings: Any,
    ) -> "Deepsim":
        """G for codes like these, (N, *code_shape).

        Args:
            codes: of real images.
            size: of the images, pixels.
            layers: the words above; None for the paper's `pattern` with `hidden` and `widths`.
            hidden, widths: of that pattern.
            code_scale: None for the root mean square of `codes`.
            tables: of the YAML, from which it takes `layers`; not used here.
            settings: the further arguments of the class.

        Raises UserError for layers that do not lead from the code to an image of this size.
        """
        shape = tuple(codes.shape[1:])
        if layers is None and (hidden is None or widths is None):
            raise UserError("generator.layers is null: set it, or set generator.hidden and generator.widths")
        layers = layers or pattern(shape, size, hidden or 1, widths or ())
        made = made_by(shape, layers)
        if not all(wanted <= side < 2 * wanted for wanted, side in zip(images.sides(size), made, strict=True)):
            said = made[0] if made[0] == made[1] else made
            raise UserError(
                f"generator.layers make images of {images.px(said)}, but generator.size is {size}: set other layers, "
                "another data.crop, or generator=small, which fits every size"
            )
        scale = code_scale or float(codes.square().mean().sqrt())
        return cls(code_shape=shape, size=size, layers=layers, code_scale=scale, **settings)

    def forward(self, code: Tensor) -> Tensor:
        raw = self.layers(code / self.code_scale if self.code_scale != 1 else code)
        raw = images.crop_centre(raw, self.size)
        if self.output == "tanh":
            return torch.tanh(full(raw)).add(1).div(2)
        return images.from_caffe(255 * torch.tanh(full(raw)) if self.output == "caffe_tanh" else full(raw))

    def stem(self) -> list[Tensor]:
        """The weights of the convolutions before the first doubling, on which alone DeePSiM's solver has a decay."""
        weights = []
        for layer in self.layers:
            if isinstance(layer, nn.ConvTranspose2d | nn.PixelShuffle):
                break
            if isinstance(layer, nn.Conv2d):
                weights.append(layer.weight)
        return weights


def _build(words: list[str], width: int, norm: bool, slope: float, gains: dict[str, float]) -> list[nn.Module]:
    """The modules of a line of words; `width` is the number of input channels."""
    modules: list[nn.Module] = []
    doubled = False
    for i, word in enumerate(words):
        if word[0].isdigit():
            shape = [int(side) for side in word.split("x")]
            if min(shape) < 1:
                raise UserError(f"generator.layers: {word!r} has a side of zero; set one or more")
            modules.append(nn.Unflatten(1, shape))
            width = shape[0]
            continue
        word, marks, last = word.rstrip("+-"), word[len(word.rstrip("+-")) :], i + 1 == len(words)
        kind = word.rstrip("0123456789/")
        doubled |= kind in {"d", "shuffle"}
        # biases: the released up-convolutions keep theirs at zero; batch norm brings its own
        bias = "+" in marks or (last and norm) or not (doubled or norm)
        layer, width = _layer(kind, word[len(kind) :], width, bias)
        _he(layer, gains.get(kind, 1.0), shuffled=kind == "shuffle")
        modules.append(layer)
        if kind == "shuffle":
            modules.append(nn.PixelShuffle(2))
        if not last:
            if norm:
                modules.append(nn.BatchNorm1d(width) if kind == "fc" else nn.BatchNorm2d(width))
            if "-" not in marks:
                modules.append(nn.LeakyReLU(slope, inplace=True))
    return modules


def _layer(kind: str, numbers: str, cin: int, bias: bool) -> tuple[nn.Module, int]:
    """One layer from its word, and its number of output channels."""
    if kind not in {"fc", "d", "t", "c", "shuffle"} or not numbers:
        raise UserError(f"generator.layers: {kind + numbers!r} is not a layer; use fcN, CxHxW, dN, tN, cN or shuffleN")
    cout, *rest = (int(number) for number in numbers.split("/"))
    if cout < 1:
        raise UserError(f"generator.layers: {kind + numbers!r} has no channels; set one or more")
    if kind == "fc":
        return nn.Linear(cin, cout, bias), cout
    if kind == "d":
        return nn.ConvTranspose2d(cin, cout, 4, 2, 1, bias=bias), cout
    if kind == "t":
        return nn.ConvTranspose2d(cin, cout, 3, 1, 1, bias=bias), cout
    if kind == "c":
        kernel, stride, padding = rest or (3, 1, 1)
        if kernel < 1 or stride < 1:
            raise UserError(f"a generator's layers have no word {kind + numbers!r}: kernel and stride are one or more")
        return nn.Conv2d(cin, cout, kernel, stride, padding, bias=bias), cout
    return nn.Conv2d(cin, 4 * cout, 3, 1, 1, bias=bias), cout


@torch.no_grad()
def _he(layer: Any, gain: float, shuffled: bool) -> None:
    """He normal; PyTorch's fan_in of a transposed convolution is Caffe's (output channels · kernel²)."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    layer.weight.mul_(gain)
    if shuffled:  # ICNR: the four sub-pixels start alike, or a dot pattern stays
        layer.weight.copy_(layer.weight[::4].repeat_interleave(4, 0))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
