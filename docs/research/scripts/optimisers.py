"""Which optimiser and which rates train G best in few images? `python docs/research/scripts/optimisers.py OUT`

    pip install pytorch_optimizer==4.1.0 schedulefree==1.4.1
    python docs/research/scripts/optimisers.py OUT --root DIR --judge FILE

Trains G for `caffenet64`'s fc6 from random weights once for each of `TRIALS`, all on equally many images of DIR (Tiny
ImageNet), and makes two pictures of each of 50 even classes through it. FILE: SqueezeNet's weights. OUT keeps the
finished ones, so that the command goes on where it was stopped; `--only NAME` one trial, or several.
"""

import argparse
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import dgn
from dgn.benchmark.prior import curve
from dgn.measures.found import log2
from dgn.measures.intervals import paired
from dgn.training.deepsim import DeepsimTraining

IMAGES = 44_800  # of every trial
BATCH = 32
TRIALS: dict[str, list[str]] = {
    "Adam, 1e-3: the default": [],
    "another seed": ["seed=1"],
    "Adam, 2e-3": ["module.optimiser_g.lr=2e-3"],
    "the rate falls from the half on": ["module.schedule.start=0.5"],
    "the rate falls from the beginning": ["module.schedule.start=0"],
    "D at 4e-4": ["module.optimiser_d.lr=4e-4"],
    "D in every second iteration": ["loss.balance.every=2"],
    "batches of 64, 1.4e-3": ["data.batch_size=64", "module.optimiser_g.lr=1.4e-3"],
    "batches of 16, 7e-4": ["data.batch_size=16", "module.optimiser_g.lr=7e-4"],
    "pixels alone in the first third": ["pixels_first=467"],
    "Muon, 1e-3": ["module.optimiser_g._target_=optimisers.muon"],
    "Muon, 3e-3": ["module.optimiser_g._target_=optimisers.muon", "module.optimiser_g.lr=3e-3"],
    "Muon of the convolutions": ["module.optimiser_g._target_=optimisers.muon", "+module.optimiser_g.linear=false"],
    "SOAP, 1e-3": ["module.optimiser_g._target_=optimisers.soap"],
    "schedule-free Adam, 2e-3": [
        *("module._target_=optimisers.ScheduleFree", "module.optimiser_g._target_=optimisers.schedule_free"),
        *("module.optimiser_g.lr=2e-3", "module.schedule.end=1"),
    ],
}
BUILT: list[Any] = []  # the schedule-free optimisers of this process


def weights(groups: Sequence[dict[str, Any]]) -> list[Tensor]:
    """All parameters of G, in the order of its layers."""
    return [parameter for group in groups for parameter in group["params"]]


def muon(lr: float, betas: tuple[float, float], linear: bool = True, **_: Any) -> Callable:
    """Muon for the weights between the first layer and the last, at rates that suit Adam; Adam for all others.

    With `linear=False` Adam for the linear layers too, whose orthogonal steps cost as much as the rest of an iteration.
    """
    from pytorch_optimizer import Muon

    def build(groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
        matrices = [p for p in weights(groups) if p.ndim > 1][:-1]
        chosen = {id(p) for p in matrices if linear or p.ndim > 2}
        parts = [
            {"params": [p for p in weights(groups) if (id(p) in chosen) == by_muon], "use_muon": by_muon, "lr": lr}
            for by_muon in (True, False)
        ]
        parts[1]["betas"] = tuple(betas)
        return Muon(parts, lr=lr, use_adjusted_lr=True)

    return build


def soap(lr: float, **_: Any) -> Callable:
    """SOAP; the sides of 4096 elements are not preconditioned, whose QR takes longer than an iteration."""
    from pytorch_optimizer import SOAP

    return partial(SOAP, lr=lr, weight_decay=0.0, max_precondition_dim=1024)


def schedule_free(lr: float, **_: Any) -> Callable:
    """Schedule-free AdamW with its own warm-up."""
    from schedulefree import AdamWScheduleFree

    def build(groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
        BUILT[:] = [AdamWScheduleFree(weights(groups), lr=lr, warmup_steps=50, foreach=False)]
        BUILT[0].train()
        return BUILT[0]

    return build


class ScheduleFree(DeepsimTraining):
    """Evaluates and writes G with the averaged weights, and with batch norms measured through them on recent codes."""

    def on_train_start(self) -> None:
        """Keep the codes of the last iterations."""
        self.recent: deque[Tensor] = deque(maxlen=50)

    def real(self, x: Tensor, index: Tensor) -> Any:
        """As above."""
        code, compared = super().real(x, index)
        self.recent.append(code)
        return code, compared

    @torch.no_grad()
    def train(self, mode: bool = True) -> "ScheduleFree":
        """Change to the averaged weights, or back."""
        if BUILT and hasattr(self, "recent"):
            BUILT[0].train() if mode else BUILT[0].eval()
            if not mode:
                norms = [m for m in self.generator.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
                kept = [norm.momentum for norm in norms]
                for norm in norms:
                    norm.reset_running_stats()
                    norm.momentum = None  # the mean of all batches
                self.generator.train()
                for code in self.recent:
                    self.generator(code)
                for norm, momentum in zip(norms, kept, strict=True):
                    norm.momentum = momentum
        super().train(mode)
        return self


def measured(words: Sequence[str], root: Path, judge: Path, out: Path) -> dict[str, Any]:
    """The last evaluation of one trial, its seconds of training, and the pictures' rows."""
    batch = int(next((word.partition("=")[2] for word in words if word.startswith("data.batch_size=")), BATCH))
    length = [f"iterations={IMAGES // batch}", f"eval_every={IMAGES // batch // 2}"]
    bundle = dgn.train("init=null", "moments.images=4000", *length, *words,
                       data={"root": root}, output=out / "prior", resume=True)  # fmt: skip
    made = dgn.synthesize(
        "caffenet64", None, "experiment=even_caffenet64", "seeds=2", "network@judge=squeezenet1_1",
        f"judge.weights={judge}", f"bundle={bundle}", output=out / "pictures", resume=True, quiet=True,
    )  # fmt: skip
    return {"rows": made.table(), **curve(out / "prior" / "metrics.csv")[-1]}


def line(name: str, found: dict[str, Any], first: dict[str, Any]) -> str:
    """A row of the table; its last column is the first trial's rank less this one's, paired."""
    rows = found["rows"]
    ranks, classes = [log2(row["judge_rank"]) for row in rows], [row["unit"] for row in rows]
    target = sum(row["rank"] == 1 for row in rows) / len(rows)
    top = [sum(row["judge_rank"] <= most for row in rows) / len(rows) for most in (1, 5)]
    errors = (f"{found[key]:.3f}" for key in ("code", "observer"))
    named = f"{100 * target:.0f}", f"{100 * top[0]:.0f} / {100 * top[1]:.0f}", f"{sum(ranks) / len(ranks):.2f}"
    errors = (f"{found[key]:.3f}" for key in ("code", "observer"))
    named = f"{100 * target:.0f}", f"{100 * top[0]:.0f} / {100 * top[1]:.0f}", f"{sum(ranks) / len(ranks):.2f}"
    cells = [name, f"{found['seconds'] / first['seconds']:.2f}", *errors, *named]
    if found is not first:
        gain = paired("", [log2(row["judge_rank"]) for row in first["rows"]], ranks,
                      [row["unit"] for row in first["rows"]], classes)  # fmt: skip
        cells.append(f"{gain.value:.2f} [{gain.low:.2f}, {gain.high:.2f}]")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Every trial, then its line of the table."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("out", type=Path)
    words.add_argument("--root", type=Path, required=True)
    words.add_argument("--judge", type=Path, required=True)
    words.add_argument("--only", nargs="*", choices=TRIALS, default=list(TRIALS), metavar="NAME")
    asked = words.parse_args()
    default, *others = TRIALS
    names = [default, *(name for name in others if name in asked.only)]
    found = {}
    for name in names:
        folder = asked.out / "".join(c if c.isalnum() else "-" for c in name)
        found[name] = measured(TRIALS[name], asked.root, asked.judge, folder)
        print(line(name, found[name], found[default]), flush=True)


if __name__ == "__main__":
    main()
