"""How much of a target's gradient a generator can draw, and whether its best direction leads further than its gradient.

    python docs/research/scripts/tangent.py RUN [COUNT]

For COUNT pictures of a finished run (6), each with a wrong class: the share of the length of the gradient at pixels,
∂ log p(wrong) / ∂x, that lies in the space of the derivative J of G at the code. Then 20 steps within 2 % along the
code's own gradient, and along (JᵀJ + λ)⁻¹ of it, the direction that gains most for each change of the picture.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from dgn.base import process
from dgn.evaluation.metrics import ranks
from dgn.generators.base import Generator
from dgn.measures import trusted
from dgn.measures.finished import Finished
from dgn.measures.freedoms import Within
from dgn.measures.settings import MeasureSettings
from dgn.measures.subject import Subject, Tools
from dgn.settings.check import check
from dgn.settings.keywords import configured
from dgn.synthesis.priors import Step

FIRM = 1e-4  # of the largest eigenvalue of JJᵀ: directions above it change the picture at small changes of the code
DAMPED = 1e-5  # λ, likewise


def derivative(generator: Generator, code: Tensor) -> Tensor:
    """J of one code (D,), by forward differences, as (D, pixels)."""
    step, size = 1e-2 * float(code.std()), code.numel()
    start = generator(code[None]).flatten()
    parts = torch.eye(size).split(64)
    return torch.cat([(generator(code + step * part).flatten(1) - start) / step for part in parts])


class Best(Within):
    """The same bound; a step goes along (JᵀJ + λ)⁻¹ of the code's gradient, J at the start."""

    axes: list[tuple[Tensor, Tensor]]

    def uphill(self, gradient: Tensor, step: Step) -> Tensor:
        """Row by row."""
        return torch.stack([
            (vectors @ ((vectors.T @ g.double()) / (values + DAMPED * values[-1]))).float()
            for g, (values, vectors) in zip(gradient, self.axes, strict=True)
        ])  # fmt: skip


def gradient(network: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
    """Of the log-probability of each picture's label, at the pixels."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(network(x).log_softmax(1).gather(1, labels[:, None]).sum(), x)[0]


def main(folder: str, count: int = 6) -> None:
    """Print a line a picture, and the target's mean log₂ rank of the wrong class after both climbs."""
    process.prepare()
    words = {"trusted": {"bound": 0.02, "steps": 20, "pictures": count}}
    settings = check(configured("measure", (), [words]), MeasureSettings)
    subject = Subject(Finished.read(Path(folder)), Tools(settings, [], None, torch.device("cpu")))
    led, target = trusted.finished(subject), subject.target.features
    labels = torch.tensor([(subject.target.classes or []).index(name) for name in led.wrong])
    at_pixels, axes = gradient(target, led.images, labels), []
    for name, code, slope in zip(led.right, led.codes, at_pixels, strict=True):
        with torch.no_grad():
            j = derivative(subject.generator, code)
        values, vectors = torch.linalg.eigh((j @ j.T).double())
        along = (vectors.T @ (j @ slope.flatten()).double())[values > 0] / values[values > 0].sqrt()
        firm = values[values > 0] > FIRM * values[-1]
        whole, most = (float(part.norm() / slope.norm()) for part in (along, along[firm]))
        print(f"{name}: {whole:.2f} in all directions, {most:.2f} in the {int(firm.sum())} firm ones; of noise "
              f"{(len(code) / slope.numel()) ** 0.5:.2f} would be")  # fmt: skip
        axes.append((values, vectors))
    Best.axes = axes
    code = trusted.freedoms(subject, led)["code"]
    for name, rule in (("gradient", Within), ("best direction", Best)):
        trusted.Within = rule  # type: ignore[misc]
        with torch.no_grad():
            after = ranks(target(trusted.climb(subject, led, code)), labels)
        print(f"{name}: log2 rank {float(after.float().log2().mean()):.2f}")
    print(f"before: log2 rank {float(ranks(target(led.images).detach(), labels).float().log2().mean()):.2f}")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
