"""The steps that settle claims, in order: networks are trained, pictures made, runs measured, rows written.

A step that is done is not repeated, one that was stopped goes on. What a finished step was made of stands in
`FOLDER/done`: its line and the files that the claim needs. Where that has changed, the step is not done.
"""

import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dgn.base.errors import UserError
from dgn.base.files import sha256, write_text
from dgn.base.folders import EXPERIMENTS
from dgn.paper.settings import ClaimSettings, PaperSettings

FOLDER = Path("runs/paper")  # of what is made; conf/paper.yaml and experiments/paper name files in it


@dataclass(frozen=True)
class Step:
    """One command line.

    Attributes:
        name: what the user is told.
        words: of `dgn`.
        hours: expected, on two cores.
        makes: a file that it makes; None where only its record tells that it is done.
        needs: files that it reads, which others make.
    """

    name: str
    words: list[str]
    hours: float
    makes: Path | None = None
    needs: list[Path] = field(default_factory=list)

    @property
    def record(self) -> Path:
        """Where it stands what the finished step was made of."""
        return FOLDER / "done" / f"{self.name.replace(' ', '-')}.json"

    def of(self) -> str:
        """Its line and the digests of what it reads, as JSON."""
        return json.dumps({"words": self.words, "needs": {str(path): sha256(path) for path in self.needs}}, indent=1)

    def done(self) -> bool:
        """Whether nothing is left to do: a network is made where its file is, anything else where its record agrees."""
        if self.makes is not None:
            return self.makes.exists()
        there = all(path.exists() for path in self.needs)
        return there and self.record.exists() and self.record.read_text(encoding="utf-8") == self.of()


def pictures(claim: ClaimSettings) -> Path:
    """The folder of a claim's pictures."""
    return FOLDER / "pictures" / claim.experiment


def compared(claim: ClaimSettings, call: int) -> Path:
    """The folder where a claim's call of `dgn measure` writes the differences of its runs."""
    return pictures(claim) / f"compared-{call}"


def plan(settings: PaperSettings, names: Sequence[str]) -> list[Step]:
    """All steps of these claims, each once, in an order in which they can be taken.

    UserError for an unknown claim, and for a path that a step needs and that is not set.
    """
    chosen = settings.chosen(list(names))
    for key in {key for claim in chosen.values() for key in claim.reads}:
        settings.filled(f"{{{key}}}")  # now, and not after hours
    needed = dict.fromkeys(need for claim in chosen.values() for need in claim.needs)
    steps = [step for claim in chosen.values() for step in _of_claim(settings, claim)]
    return [*(_training(settings, need) for need in needed), *{step.name: step for step in steps}.values()]


def _training(settings: PaperSettings, name: str) -> Step:
    made = settings.made[name]
    path = FOLDER / made.file
    words = [settings.filled(word) for word in shlex.split(made.line)] if not path.exists() else []
    return Step(f"{name} training", [*words, f"output={FOLDER / name}", "resume=true"], made.hours, makes=path)


def _of_claim(settings: PaperSettings, claim: ClaimSettings) -> Iterator[Step]:
    folder, needs = pictures(claim), [FOLDER / settings.made[need].file for need in claim.needs]
    words = [settings.filled(word) for word in claim.words]
    line = ["synthesize", f"experiment=paper/{claim.experiment}", *words, f"output={folder}", "resume=true"]
    experiment = EXPERIMENTS / "paper" / f"{claim.experiment}.yaml"
    made = Step(f"{claim.experiment} pictures", line, claim.hours, needs=[*needs, experiment])
    yield made
    for i, call in enumerate(claim.measured):
        words = [settings.filled(word) for word in call.words]
        runs = [str(folder / run) for run in call.runs]
        output = [f"output={compared(claim, i)}"] if len(runs) > 1 else []
        yield Step(
            f"{claim.experiment} measures {i}", ["measure", *runs, *words, *output], 0, needs=[*needs, made.record]
        )


def take(step: Step) -> float:
    """Run a step in a process of its own and note that it is done; the seconds that it took.

    A signal that ends this process is passed on, and the step's process saves what it has. UserError, one sentence,
    where the step fails: the last line of its log.
    """
    log = FOLDER / "logs" / f"{step.record.stem}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with log.open("ab") as file:
        command = [sys.executable, "-m", "dgn", *step.words]
        process = subprocess.Popen(
            command, stdout=file, stderr=file, start_new_session=True
        )  # so that a signal comes once
        try:
            code = process.wait()
        except BaseException:
            process.send_signal(signal.SIGTERM)
            process.wait()
            raise
    if code or (step.makes is not None and not step.makes.exists()):
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["nothing was printed"]
        raise UserError(f"{step.name} failed ({lines[-1].removeprefix('error: ')}): see {log}")
    if step.makes is None:
        write_text(step.record, step.of())
    return time.monotonic() - started
