"""Which rates, batches and rhythms train G best in few images?

    python docs/research/scripts/training_trials.py OUT --root DIR --judge FILE

Trains G for `caffenet64`'s fc6 from random weights once for each of `TRIALS`, all on equally many images of DIR (Tiny
ImageNet), and makes two pictures of each of 50 even classes through it. FILE: SqueezeNet's weights. OUT keeps the
finished ones, so that the command goes on where it was stopped; `--only NAME` one trial, or several. Other optimisers
than Adam need the packages of optimisers.py, and PYTHONPATH=docs/research/scripts.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dgn
from dgn.benchmark.prior import curve
from dgn.measures.found import log2
from dgn.measures.intervals import paired

IMAGES = 44_800  # of every trial
BATCH = 32
FREE = ["module._target_=optimisers.ScheduleFree", "module.optimiser_g.betas=[0.9,0.99]", "module.schedule.start=1"]


def other(optimiser: str, lr: str) -> list[str]:
    """Words for an optimiser of G in optimisers.py."""
    return [f"module.optimiser_g._target_=optimisers.{optimiser}", f"module.optimiser_g.lr={lr}"]


TRIALS: dict[str, list[str]] = {
    "Adam, 1e-3: the default": [],
    "another seed": ["seed=1"],
    "Adam, 2e-3": ["module.optimiser_g.lr=2e-3"],
    "the rate falls from the half on": ["module.schedule.start=0.5"],
    "the rate falls from the beginning": ["module.schedule.start=0"],
    "D at 4e-4": ["module.optimiser_d.lr=4e-4"],
    "D in every second iteration": ["loss.balance.every=2"],
    "batches of 64, 1.4e-3": ["data.batch_size=64", "module.optimiser_g.lr=1.4e-3"],
    "pixels alone in the first third": ["pixels_first=467"],
    **{f"Muon, {lr}": other("muon", lr) for lr in ("1e-3", "3e-3")},
    **{f"SOAP, {lr}": other("soap", lr) for lr in ("1e-3", "3e-3")},
    **{f"schedule-free, {lr}": [*other("schedule_free", lr), *FREE] for lr in ("1e-3", "3e-3")},
}


def measured(words: Sequence[str], root: Path, judge: Path, out: Path) -> dict[str, Any]:
    """The last evaluation of one trial, its seconds of training, and the pictures' rows."""
    batch = int(next((word.partition("=")[2] for word in words if word.startswith("data.batch_size=")), BATCH))
    length = [f"iterations={IMAGES // batch}", f"eval_every={IMAGES // batch // 2}"]
    bundle = dgn.train(
        "init=null", "moments.images=4000", *length, *words, data={"root": root}, output=out / "prior", resume=True
    )
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
