"""Stand-ins of the published files of DeePSiM's generators and of CaffeNet: their names and shapes, random numbers.

Also the generators themselves, written down from the paper's tables in plain torch operations.
"""

import math
import re

import torch
from torch.nn import functional as F

FC = {"defc7": (4096, 4096), "defc6": (4096, 4096), "defc5": (4096, 4096)}  # out, in
PAPERS = {  # transposed convolutions: in, out, kernel, kernel
    "deconv5": (256, 256, 4, 4), "conv5_1": (256, 512, 3, 3), "deconv4": (512, 256, 4, 4), "conv4_1": (256, 256, 3, 3),
    "deconv3": (256, 128, 4, 4), "conv3_1": (128, 128, 3, 3), "deconv2": (128, 64, 4, 4), "deconv1": (64, 32, 4, 4),
    "deconv0": (32, 3, 4, 4),
}  # fmt: skip
CONV = {
    "Rconv6": (384, 384, 3, 3), "Rconv7": (512, 384, 3, 3), "Rconv8": (512, 512, 2, 2),
    "deconv5": (512, 256, 4, 4), "conv5_1": (256, 256, 3, 3), "deconv4": (256, 128, 4, 4), "conv4_1": (128, 128, 3, 3),
    "deconv3": (128, 128, 4, 4), "conv3_1": (128, 128, 3, 3), "deconv2": (128, 64, 4, 4), "conv2_1": (32, 64, 3, 3),
    "deconv1": (32, 16, 4, 4), "conv1_1": (3, 16, 3, 3),
}  # fmt: skip
NORM = {
    "deconv4": (128, 128, 4, 4), "conv4_1": (128, 128, 3, 3), "deconv3": (128, 64, 4, 4), "conv3_1": (64, 64, 3, 3),
    "deconv2": (64, 32, 4, 4), "conv2_1": (32, 32, 3, 3), "deconv1": (32, 16, 4, 4), "conv1_1": (3, 16, 3, 3),
}  # fmt: skip
SHAPES = {
    "fc6": FC | PAPERS, "fc6_eucl": FC | PAPERS, "fc7": FC | PAPERS, "fc8": FC | {"defc7": (4096, 1000)} | PAPERS,
    "pool5": {"Rconv6": (512, 256, 3, 3), "Rconv7": (512, 512, 3, 3), "Rconv8": (512, 512, 3, 3)}
    | PAPERS | {"deconv5": (512, 256, 4, 4)},
    "conv3": CONV, "conv4": CONV,
    "norm1": {"Rconv6": (128, 96, 3, 3), "Rconv7": (128, 128, 3, 3), "Rconv8": (128, 128, 3, 3)} | NORM,
    "norm2": {"Rconv6": (256, 256, 3, 3), "Rconv7": (128, 256, 3, 3), "Rconv8": (128, 128, 3, 3)} | NORM,
}  # fmt: skip
CODES = {"norm1": (96, 27, 27), "norm2": (256, 13, 13), "conv3": (384, 13, 13), "conv4": (384, 13, 13),
         "pool5": (256, 6, 6), "fc6": (4096,), "fc6_eucl": (4096,), "fc7": (4096,), "fc8": (1000,)}  # fmt: skip
CAFFENET = {
    "conv1": (96, 3, 11, 11), "conv2": (256, 48, 5, 5), "conv3": (384, 256, 3, 3), "conv4": (384, 192, 3, 3),
    "conv5": (256, 192, 3, 3), "fc6": (4096, 9216), "fc7": (4096, 4096), "fc8": (1000, 4096),
}  # fmt: skip
TRANSPOSED = {"fc": PAPERS, "pool": PAPERS, "conv": ["deconv5", "conv5_1", "deconv4", "conv4_1", "deconv3", "conv3_1",
              "deconv2", "deconv1"], "norm": ["deconv4", "deconv3", "deconv2", "deconv1"]}  # fmt: skip


def transposed(name, layer):
    """Whether a layer of the generator `name` is a transposed convolution, whose first axis is its input."""
    return layer in TRANSPOSED[re.match("[a-z]+", name)[0]]


def drawn(shapes, outputs):
    """Random weights and biases by published names, fp16; a few thousand numbers are drawn and repeated.

    `outputs` says how many outputs a layer has, from its name and shape.
    """
    some = torch.randn(10_007, generator=torch.Generator().manual_seed(0))
    tensors = {}
    for layer, shape in shapes.items():
        count = math.prod(shape)
        out = outputs(layer, shape)
        doubling = 2 if shape[2:] == (4, 4) else 1  # of a step of two pixels a quarter of the weights meet
        he = (some * doubling * (2 * out / count) ** 0.5).half()
        tensors[f"{layer}.weight"] = he.repeat(count // len(he) + 1)[:count].view(shape)
        tensors[f"{layer}.bias"] = some[:out].half() / 10
    return tensors


def generator(name, biases=False, extra=""):
    """A published file of the generator `name`.

    Args:
        biases: whether up-convolutions have biases that are not zero.
        extra: what stands between some names and their end: "1." in some files.
    """
    shapes = SHAPES[name]
    tensors = drawn(shapes, lambda layer, shape: shape[1] if transposed(name, layer) else shape[0])
    for layer in shapes:
        if not layer.startswith(("defc", "Rconv")) and not biases:
            tensors[f"{layer}.bias"].zero_()
    return {key.replace(".", f".{extra}", 1) if key.startswith("deconv") else key: v for key, v in tensors.items()}


def caffenet():
    """A published file of CaffeNet."""
    return drawn(CAFFENET, lambda _, shape: shape[0])


def images(name, tensors, code):
    """What the generator `name` makes of codes, BGR minus the mean in 0-255, as Caffe's files say it."""
    x = code

    def up(x, layer, kernel):  # doubles the side with kernel 4, keeps it with 3
        stride = 2 if kernel == 4 else 1
        return F.conv_transpose2d(x, tensors[f"{layer}.weight"], tensors[f"{layer}.bias"], stride, 1)

    def conv(x, layer, stride=1, padding=1):
        return F.conv2d(x, tensors[f"{layer}.weight"], tensors[f"{layer}.bias"], stride, padding)

    def leaky(x):
        return torch.where(x > 0, x, 0.3 * x)

    if name.startswith("fc"):
        for layer in ("defc7", "defc6", "defc5"):
            x = leaky(x @ tensors[f"{layer}.weight"].T + tensors[f"{layer}.bias"])
        x = x.reshape(-1, 256, 4, 4)
    elif name == "pool5":
        x = leaky(conv(leaky(conv(leaky(conv(x, "Rconv6")), "Rconv7")), "Rconv8", padding=0))
    elif name in {"conv3", "conv4"}:
        for layer in ("Rconv6", "Rconv7", "Rconv8"):
            x = leaky(conv(x, layer, padding=0))
    else:
        x = leaky(conv(x, "Rconv6", stride=2 if name == "norm1" else 1, padding=2))
        x = leaky(conv(leaky(conv(x, "Rconv7")), "Rconv8"))
    if name in {"conv3", "conv4"}:
        for i in (5, 4, 3):
            x = leaky(up(leaky(up(x, f"deconv{i}", 4)), f"conv{i}_1", 3))
        x = leaky(conv(leaky(up(x, "deconv2", 4)), "conv2_1"))
        return 255 * torch.tanh(conv(leaky(up(x, "deconv1", 4)), "conv1_1"))
    if name.startswith("norm"):
        for i in (4, 3, 2):
            x = leaky(conv(leaky(up(x, f"deconv{i}", 4)), f"conv{i}_1"))
        return 255 * torch.tanh(conv(up(x, "deconv1", 4), "conv1_1"))
    for i in (5, 4, 3):
        x = leaky(up(leaky(up(x, f"deconv{i}", 4)), f"conv{i}_1", 3))
    return up(leaky(up(leaky(up(x, "deconv2", 4)), "deconv1", 4)), "deconv0", 4)


def scores(tensors, x):
    """CaffeNet's scores (N, 1000) of (N, 3, 227, 227) BGR minus the mean in 0-255, as its prototxt says it."""

    def conv(x, layer, **kwargs):
        return F.conv2d(x, tensors[f"{layer}.weight"], tensors[f"{layer}.bias"], **kwargs).clamp(min=0)

    def pool(x):
        return F.max_pool2d(x, 3, 2, ceil_mode=True)

    def norm(x):
        squares = F.pad(x * x, (0, 0, 0, 0, 2, 2))
        return x / (1 + 1e-4 / 5 * sum(squares[:, i : i + x.shape[1]] for i in range(5))) ** 0.75

    x = norm(pool(conv(x, "conv1", stride=4)))
    x = norm(pool(conv(x, "conv2", padding=2, groups=2)))
    x = conv(conv(x, "conv3", padding=1), "conv4", padding=1, groups=2)
    x = pool(conv(x, "conv5", padding=1, groups=2)).flatten(1)
    for layer in ("fc6", "fc7"):
        x = (x @ tensors[f"{layer}.weight"].T + tensors[f"{layer}.bias"]).clamp(min=0)
    return x @ tensors["fc8.weight"].T + tensors["fc8.bias"]
