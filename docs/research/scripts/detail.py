"""A residual on finished pictures, climbed at the target's own size, and what the same freedom gains a wrong class.

    python docs/research/scripts/detail.py RUN JUDGE_WEIGHTS [--band 0 0.5] [--bound 0.05] [--steps 48] ...

The pictures of RUN, enlarged, plus C · F⁻¹(code / f^decay) within a band of frequencies, at most `bound` rms, climbed
on the run's target: once towards each picture's own class, once towards a wrong one. Prints what the judge, SqueezeNet
1.1, makes of both, in log₂ of rank; the second over the first is to stay below a quarter.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import DataLoader

from dgn.base import images, lightning, precision, process
from dgn.evaluation import judge
from dgn.evaluation.metrics import ranks
from dgn.generators.base import Generator
from dgn.generators.spectral import colour_matrix, frequencies, mixed
from dgn.measures.finished import Finished
from dgn.measures.freedoms import Changed, Within
from dgn.measures.look import Eye
from dgn.measures.settings import MeasureSettings
from dgn.measures.subject import Subject, Tools
from dgn.networks.features import Features
from dgn.settings.check import check
from dgn.settings.keywords import configured
from dgn.synthesis.ascent import NormalisedGradient
from dgn.synthesis.module import Synthesis
from dgn.synthesis.transforms import Parts
from dgn.units.objective import Logit, LogProbability, Scorer
from dgn.units.terms import parse


class Residual(Generator):
    """Codes (N, 6, size, size // 2 + 1) to a change of colours (N, 3, size, size) around 0.

    With `natural`, no coefficient is larger than a photograph's of the same frequency would be in a residual of that
    rms: |coefficient| ≤ natural · f^-decay.
    """

    scale: Tensor
    colours: Tensor

    def __init__(self, size: int, band: tuple[float, float], decay: float, natural: float | None) -> None:
        super().__init__()
        self.args, self.code_shape, self.size, self.natural = {}, (6, size, size // 2 + 1), size, natural
        f = frequencies(size)
        scale = f.clamp_min(1 / size) ** -decay * ((f >= band[0]) & (f <= band[1]))
        self.register_buffer("colours", colour_matrix().float())
        self.register_buffer("scale", scale.float())
        if natural is not None:  # so that a code of absolute values 1 has this rms in brightness
            noise = torch.polar(torch.ones_like(self.scale), 6.28 * torch.rand(self.scale.shape))
            self.scale *= natural / torch.fft.irfft2(self.scale * noise, (size, size), norm="ortho").std()

    def forward(self, code: Tensor) -> Tensor:
        spectrum = torch.complex(*code.chunk(2, 1))
        if self.natural is not None:
            spectrum = spectrum / (1 + spectrum.abs().square()).sqrt()
        return mixed(torch.fft.irfft2(self.scale * spectrum, (self.size, self.size), norm="ortho"), self.colours)


def climb(base: Tensor, target: Features, labels: list[int], classes: int, words: argparse.Namespace) -> Tensor:
    """The pictures after the climb towards these outputs."""
    made = []
    for first in range(0, len(base), 10):
        part = base[first : first + 10]
        torch.manual_seed(0)
        residual = Residual(words.size, words.band, words.decay, words.bound if words.natural else None)
        changed = Changed(residual, part, torch.zeros(len(part), *residual.code_shape))
        units = parse(labels[first : first + 10], (classes,), None)
        step = words.step if words.natural else words.step * changed.unit(words.bound)
        module = Synthesis(
            generator=changed, target=target, score=Scorer(units, LogProbability() if words.log else Logit()),
            prior=Within(changed, words.bound), codes=changed.start.clone(), seeds=range(first, first + len(part)),
            views=Parts(), optimiser=NormalisedGradient, step=step, end=0.0,
            steps=words.steps, moves=[words.strength] * len(part), whole=0.0625, render="last",
        )  # fmt: skip
        settings = {"accelerator": "cpu", "devices": 1, "precision": precision.best()}
        steps: Any = torch.arange(words.steps)
        with precision.prepared(target):
            lightning.trainer(settings, [], [], max_epochs=1).fit(
                module, DataLoader(steps, generator=torch.Generator())
            )
        with torch.no_grad():
            made.append(images.from_uint8(images.to_uint8(module.cpu().images())))
    return torch.cat(made)


def main() -> None:
    """Print the table, and save a sheet of the pictures before and after beside the run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("weights")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--band", type=float, nargs=2, default=(0.0, 0.75))
    parser.add_argument("--decay", type=float, default=1)
    parser.add_argument("--bound", type=float, default=0.05)
    parser.add_argument("--steps", type=int, default=48)
    parser.add_argument("--step", type=float, default=0.25)
    parser.add_argument("--strength", type=float, default=1)
    parser.add_argument("--natural", action="store_true")
    parser.add_argument("--log", action="store_true")
    parser.add_argument("--sheet", default="detail.png")
    words = parser.parse_args()
    process.prepare()
    keys = {"judge": "squeezenet1_1", "judge.weights": words.weights}
    config, cpu = check(configured("measure", (), [keys]), MeasureSettings), torch.device("cpu")
    assert config.judge is not None
    eye = Eye(judge.load(config.judge, {}), cpu)
    subject = Subject(Finished.read(words.run), Tools(config, [eye], None, cpu))
    run, target, names = subject.run, subject.target, subject.target.classes or []
    small = torch.cat(list(run.batches()))
    base = interpolate(small, size=(words.size, words.size), mode="bicubic", antialias=True).clamp(0, 1)
    right = [str(name) for name in run.classes]
    random = np.random.default_rng(0)
    wrong = [str(random.choice([name for name in names if name != one])) for one in right]
    states = {"before": base}
    for kind, towards in (("right", right), ("wrong", wrong)):
        states[kind] = climb(base, target.features, [names.index(name) for name in towards], len(names), words)
    seen = {
        (state, kind): np.log2(eye.look([(x, of, of)]).ranks)
        for state, x in states.items()
        for kind, of in (("right", right), ("wrong", wrong))
    }
    for state, x in states.items():
        with torch.no_grad():
            scores = target.features(x)
        named = [
            (ranks(scores, torch.tensor([names.index(name) for name in of])) == 1).double().mean()
            for of in (right, wrong)
        ]
        rms = float((x - base).square().mean((1, 2, 3)).sqrt().mean())
        told = []
        for kind in ("right", "wrong"):
            log2 = seen[state, kind]
            first, five = (100 * (log2 <= np.log2(most)).mean() for most in (1, 5))
            told.append(f"{kind} top-1/5 {first:.0f}/{five:.0f}, rank {log2.mean():.2f}")
        print(
            f"{state}: rms {rms:.3f}; target names right {named[0]:.2f}, wrong {named[1]:.2f}; judge {'; '.join(told)}"
        )
    gained = {kind: seen["before", kind] - seen[kind, kind] for kind in ("right", "wrong")}
    for kind, values in gained.items():
        print(f"{kind} class gains {values.mean():.2f} ± {values.std(ddof=1) / len(values) ** 0.5:.2f} when climbed to")
    print(f"ratio {gained['wrong'].mean() / gained['right'].mean():.2f}")
    rows = torch.stack([base[:8], states["right"][:8], states["wrong"][:8]])
    sheet = torch.cat([torch.cat(list(row), 2) for row in rows], 1)
    images.save(words.run / words.sheet, sheet)


if __name__ == "__main__":
    main()
