"""A G of 128 px for caffenet64's fc6, from the shipped one of 64 px and images of two sizes (docs/research/detail.md).

    python docs/research/scripts/larger_g.py OUT --small TINY --large DIR … --shares SHARE … [--minutes 45]

TINY holds images of 64 px, each DIR images with a short side of 128 px or more, of which a batch takes that share. Half
of a batch is large. All are compared with G's picture at 64 px (pixels, features of caffenet64, code, a D that knows
the code), the large ones also at 128 px: pixels, features of parts of 64 px, and a D without the code, which sees parts
of all pictures. OUT/g128.bundle.safetensors is a bundle for `dgn synthesize bundle=`; OUT/grid.png shows images, the
shipped G's pictures and the new one's, 12 of each size.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from rich.progress import track
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm
from torchvision.datasets.folder import is_image_file

from dgn.base import images as convention
from dgn.generators import bundle, lookup
from dgn.generators.deepsim import Deepsim
from dgn.networks.caffenet import CaffeNet64
from dgn.networks.features import Features
from dgn.networks.preprocessing import Preprocessing
from dgn.networks.weights import load
from dgn.networks.weights_file import find
from dgn.training import losses
from dgn.training.discriminator import Discriminator

SIDE, RANK, HALF = 128, 384, 32  # px; of the second linear layer, so that the file stays small; images of each size
LAYERS = {"conv2": 1 / 3, "conv3": 1 / 3, "conv5": 1 / 3}
WEIGHTS = {"pixel": 1, "pixel 128": 1, "feature": 0.8, "feature 128": 0.6, "code": 0.3, "d": 0.1, "d 128": 0.05}
WARM_UP = 300  # iterations without the adversarial terms, in which features and code come in
CONVS = [[32, 4, 2, 1], [64, 4, 2, 1], [128, 4, 2, 1], [128, 4, 2, 1]]


def packed(folder: Path, side: int, file: Path) -> np.ndarray:
    """All images of a folder of at least `side` px, their centres brought to it, uint8 (N, side, side, 3) in a file."""
    if not file.exists():
        paths = sorted(path for path in folder.rglob("*") if is_image_file(str(path)))
        part = file.with_suffix(".part")
        rows = np.lib.format.open_memmap(part, "w+", np.uint8, (len(paths), side, side, 3))
        count = 0
        for path in track(paths, str(folder)):
            with Image.open(path) as image:
                if min(image.size) >= side:
                    rows[count] = np.asarray(ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.LANCZOS))
                    count += 1
        np.save(file, rows[:count])
        part.unlink()
    return np.load(file, mmap_mode="r")


def drawn(sets: Sequence[np.ndarray], shares: Sequence[float], count: int, rng: np.random.Generator) -> Tensor:
    """Images of these sets, mirrored at random: (N, 3, side, side) in [0, 1]."""
    which = rng.choice(len(sets), count, p=shares)
    x = convention.from_uint8(np.stack([sets[i][rng.integers(len(sets[i]))] for i in which]))
    mirrored = torch.from_numpy(rng.random(count) < 0.5)
    x[mirrored] = x[mirrored].flip(-1)
    return x.contiguous(memory_format=torch.channels_last)


def encoder(*layers: str) -> Features:
    """caffenet64, whose convolutions also see parts of 64 px of a larger image."""
    network = CaffeNet64()
    load(network, find("asset:caffenet64.safetensors"))
    contract = Preprocessing(size=64, mean=[0.480, 0.448, 0.398], std=[0.277, 0.269, 0.282], scale=1, channels=3,
                             order="rgb", interpolation="bilinear", fit="resize")  # fmt: skip
    return Features(network, layers, contract, activated=True)


@torch.no_grad()
def begun(small: Deepsim, codes: Tensor) -> tuple[Deepsim, int]:
    """G of 128 px with the weights of the small one but for its last layer, and the number of the first new module.

    The second linear layer becomes a product of two, by its singular values, with a batch norm between that changes
    nothing for these codes.
    """
    words = small.args["layers"].split()
    layers = " ".join([words[0], f"fc{RANK}-", *words[1:-1], "d32", "c32", words[-1]])
    large = Deepsim(**small.args | {"size": SIDE, "layers": layers})
    old, new = list(small.layers), list(large.layers)
    for before, after in zip(
        old[:3] + old[4:-2], new[:3] + new[6:], strict=False
    ):  # the rest of `new` is the last stage
        after.load_state_dict(before.state_dict())
    left, values, right = torch.linalg.svd(old[3].weight.double(), full_matrices=False)
    root = values[:RANK].sqrt()
    new[3].weight.copy_(root[:, None] * right[:RANK])
    new[5].weight.copy_(left[:, :RANK] * root)
    between = new[3](small.layers[:3](codes / small.code_scale))
    mean, variance = between.mean(0), between.var(0)
    new[4].load_state_dict({"weight": (variance + new[4].eps).sqrt(), "bias": mean, "running_mean": mean,
                            "running_var": variance, "num_batches_tracked": torch.tensor(1)})  # fmt: skip
    return large, len(old)


def part_discriminator() -> nn.Sequential:
    """A D of parts: logits at every eighth pixel, each of 54 px around."""
    sizes = [(3, 32, 4, 2), (32, 64, 4, 2), (64, 128, 4, 2), (128, 128, 3, 1), (128, 1, 3, 1)]
    layers: list[nn.Module] = []
    for width, channels, kernel, stride in sizes:
        layers += [spectral_norm(nn.Conv2d(width, channels, kernel, stride, 1)), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1]).to(memory_format=torch.channels_last)


class Training:
    """Two networks that judge and two Ds, of whole pictures at 64 px and of parts at 128 px."""

    def __init__(self, small: Deepsim, some: Tensor) -> None:
        self.encoder, self.parts = encoder("fc6", *LAYERS), encoder(*LAYERS)
        self.g, first = begun(small, self.encoder(some))
        self.d, self.d_parts = Discriminator(
            code_shape=small.code_shape, size=64, convs=CONVS, pool=False, image=[256], code=[256], head=[], outputs=1,
            dropout=0, slope=0.2, spectral=True, caffe=False,
        ), part_discriminator()  # fmt: skip
        fresh = [p for layer in list(self.g.layers)[first:] for p in layer.parameters()]
        known = {id(p) for p in fresh}
        groups = [{"params": [p for p in self.g.parameters() if id(p) not in known], "rate": 3e-4},
                  {"params": fresh, "rate": 1e-3}]  # fmt: skip
        self.of_g = torch.optim.Adam(groups, betas=(0.5, 0.99), fused=True)
        ds = [*self.d.parameters(), *self.d_parts.parameters()]
        self.of_d = torch.optim.Adam(ds, lr=2e-4, betas=(0.5, 0.99), fused=True)

    def step(self, large: Tensor, small: Tensor, cut: tuple[slice, slice], done: int, share: float) -> dict[str, float]:
        """One step of the Ds and one of G after `done` steps and a `share` of the time; the losses."""
        for group in self.of_g.param_groups:
            group["lr"] = group["rate"] * min(1, (done + 1) / 50) * min(1, max(0.02, (1 - share) / 0.3))
        x = torch.cat([F.avg_pool2d(large, 2), small]).contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            seen, compared = self.encoder.all(x), self.parts.all(large[..., *cut])
        code, hinge = seen["fc6"].float(), losses.Hinge
        y = self.g(code)
        reduced, part = F.avg_pool2d(y, 2), y[..., *cut]
        real, fake = self.d(torch.cat([x, reduced.detach()]), torch.cat([code, code])).chunk(2)
        of_d = hinge.real(real) + hinge.fake(fake)
        of_d = (
            of_d + hinge.real(self.d_parts(2 * large[..., *cut] - 1)) + hinge.fake(self.d_parts(2 * part.detach() - 1))
        )
        self._update(self.of_d, of_d)
        for d in (self.d, self.d_parts):
            d.requires_grad_(False)
        again = self.encoder.all(reduced)
        terms = {
            "pixel": losses.mean_square(x, reduced, 0.0675),
            "pixel 128": losses.mean_square(large, y[: len(large)], 0.0675),
            "feature": losses.features(losses.relative, seen, again, LAYERS),
            "feature 128": losses.features(losses.relative, compared, self.parts.all(part[: len(large)]), LAYERS),
            "code": losses.relative(code, again["fc6"]),
            "d": hinge.wish(self.d(reduced, code)),
            "d 128": hinge.wish(self.d_parts(2 * part - 1)),
        }
        ramp = {"f": min(1, done / WARM_UP), "c": min(1, done / WARM_UP), "d": float(done >= WARM_UP), "p": 1}
        self._update(self.of_g, torch.stack([WEIGHTS[k] * ramp[k[0]] * value for k, value in terms.items()]).sum())
        for d in (self.d, self.d_parts):
            d.requires_grad_(True)
        return {name: float(value.detach()) for name, value in terms.items()}

    @staticmethod
    def _update(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def main() -> None:
    """Train for the time asked for, then write the bundle and the grid."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("out", type=Path)
    words.add_argument("--small", type=Path, required=True)
    words.add_argument("--large", type=Path, nargs="+", required=True)
    words.add_argument("--shares", type=float, nargs="+", required=True)
    words.add_argument("--minutes", type=float, default=45)
    asked = words.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    small = [packed(asked.small, 64, asked.out / "small.npy")]
    large = [packed(folder, SIDE, asked.out / f"large{i}.npy") for i, folder in enumerate(asked.large)]
    shipped = bundle.load(lookup.find("caffenet64-fc6"))
    training = Training(shipped.generator, drawn(small, [1], 2000, rng))  # type: ignore[arg-type]
    began, done = time.monotonic(), 0
    while (share := (time.monotonic() - began) / 60 / asked.minutes) < 1:
        top, left = rng.integers(0, SIDE - 63, 2)
        cut = (slice(top, top + 64), slice(left, left + 64))
        with torch.autocast("cpu", torch.bfloat16):
            said = training.step(drawn(large, asked.shares, HALF, rng), drawn(small, [1], HALF, rng), cut, done, share)
        done += 1
        if done % 50 == 0:
            print(done, f"{share:.2f}", {name: round(value, 3) for name, value in said.items()}, flush=True)
    training.g.eval()
    bundle.save(asked.out / "g128.bundle.safetensors", training.g, shipped.moments, shipped.codes, shipped.record)
    rows = [drawn(large, asked.shares, 12, rng), drawn(small, [1], 12, rng)]
    with torch.no_grad():
        codes = [training.encoder(x) for x in rows]
        shown = [(x, shipped.generator(code), training.g(code)) for x, code in zip(rows, codes, strict=True)]
    whole = torch.cat([convention.resize(x, SIDE) for row in shown for x in row]).clamp(0, 1)
    convention.save(asked.out / "grid.png", convention.grid(whole, columns=12))


if __name__ == "__main__":
    main()
