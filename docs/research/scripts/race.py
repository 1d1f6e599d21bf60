"""The race on equal terms: `python docs/research/scripts/race.py OUT --data DIR --judge FILE`

Every method of experiments/race.yaml on 25 odd classes, two seeds each: once with the same number of forward and
backward passes, once with as many steps as fit the seconds a picture that dgn's defaults take. The controls of
race.yaml and race_real.yaml as well. All are measured by `dgn measure`; OUT/passes.md and OUT/seconds.md have a row a
method, OUT/passes.png and OUT/seconds.png the first picture of every third class.

OUT/trusted.md: how far what a method moves leads the judge to a wrong class, by two per cent of change, from its
picture of each class at equal passes. OUT/task.md: the two-alternative task, on ten channels of a hidden layer and
their opposites. What OUT already has is not computed again.

`--races`, `--only`, `--target`, `--seeds` and `--steps` choose less, another network and another number of passes.
"""

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml
from PIL import Image, ImageDraw, ImageFont

import dgn
from dgn.measures.intervals import Measure
from dgn.report import results

REPOSITORY = Path(__file__).resolve().parents[3]
UNITS = {  # odd numbers; of ImageNet's, those that there are real images of
    "caffenet64": list(range(1, 200, 8)),
    "efficientnet_lite0": [1, 61, 107, 145, 207, 281, 301, 325, 345, 387, 425, 445, 471, 509, 557, 605, 655, 707, 739,
                           817],
}  # fmt: skip
TASK = [f"{sign}conv5:{channel}" for sign in ("", "-") for channel in range(1, 110, 12)]  # of caffenet64
TASK_STEPS, TASK_SEEDS = 50, 9
WINDOWS = ["two_alternative.above=[60,80]", "two_alternative.below=[20,40]"]  # the extremes are too easy for a network
OURS, JUDGE, PASSES = "dgn", "squeezenet1_1", 200  # the last: passes to which the steps of a search belong
RACES = ("passes", "seconds", "trusted", "task")
SHOWN, SIDE, LEFT = 8, 96, 120  # units of the figure; side of a picture and width of the rows' names, px
COLUMNS = {  # of measures.csv; J is the judge's name
    "target top-1": "recognised/target/top1",
    "judge top-1": "recognised/J/top1",
    "judge top-5": "recognised/J/top5",
    "judge log2 rank": "recognised/J/log2_rank",
    "above 95th percentile": "driven/above_95",
    "KID": "natural/kid/J:",
    "various": "various/features/J:",
}
TRUSTED = {
    "% changed": "trusted/percent_changed/OWN",
    "target names the wrong class": "trusted/target/wrong_top1/OWN",
    "judge: the wrong class gains": "trusted/J/wrong_gained/OWN",
    "judge: the right class gains": "trusted/J/right_gained/OWN",
}
RANK = COLUMNS["judge log2 rank"]


def methods(experiment: str) -> dict[str, list[str]]:
    """Each row of an experiment with its words, without the units."""
    panels = yaml.safe_load((REPOSITORY / "experiments" / f"{experiment}.yaml").read_text())["panels"]
    return {row: [word for word in words if not word.startswith("units=")] for row, words in panels.items()}


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    out: Path
    data: str
    judge: str
    target: str
    steps: int
    seeds: int
    races: list[str]
    only: list[str]

    @property
    def real(self) -> list[str]:
        """The words for real images."""
        return [f"data.root={self.data}"]

    @property
    def climbs(self) -> dict[str, list[str]]:
        """The rows that climb."""
        every = {name: words for name, words in methods("race").items() if "ascent=stay" not in words}
        return {name: words for name, words in every.items() if not self.only or name in {*self.only, OURS}}

    @property
    def controls(self) -> dict[str, list[str]]:
        """The rows that stay where they start."""
        stay = {name: words for name, words in methods("race").items() if "ascent=stay" in words}
        real = {name: [*words, *self.real, "real_from=val"] for name, words in methods("race_real").items()}
        return {name: words for name, words in (stay | real).items() if not self.only or name in self.only}


def steps_of(words: list[str], steps: int) -> int:
    """A row's number of steps where all have as many passes; a search's own, as its steps show several pictures."""
    own = [int(word.partition("=")[2]) for word in words if word.startswith("ascent.steps=")]
    return round(own[0] * steps / PASSES) if own else steps


def seconds(output: Path, seeds: int, *words: str) -> float:
    """Synthesize what OUT lacks, in a process of its own; the seconds a picture."""
    if not (output / "manifest.json").exists():
        seeds = 1 if "start.choose=mean" in words else seeds  # a class has one mean code
        line = [sys.executable, "-m", "dgn", "synthesize", "batch_size=10", *words, f"seeds={seeds}", "resume=true"]
        subprocess.run([*line, f"output={output}"], check=True)
    rows = results.read(output / "results.csv")
    return sum(row.seconds for row in rows) / len(rows)


def race(asked: Asked) -> None:
    """The controls, and every method at equal passes; then at equal seconds, if asked for."""
    base = [f"network@target={asked.target}", f"units=[{','.join(map(str, UNITS[asked.target]))}]"]
    if {"passes", "seconds"} & {*asked.races}:
        for name, words in asked.controls.items():
            seconds(asked.out / "controls" / name, asked.seeds, *base, *words)
    passes, equal = {}, {}
    for name, words in asked.climbs.items():
        count = f"ascent.steps={steps_of(words, asked.steps)}"
        passes[name] = seconds(asked.out / "passes" / name, asked.seeds, *base, *words, count)
    if "passes" in asked.races:
        told(asked, "passes", passes)
    if "seconds" in asked.races:
        for name, words in asked.climbs.items():
            count = f"ascent.steps={max(1, round(steps_of(words, asked.steps) * passes[OURS] / passes[name]))}"
            equal[name] = seconds(asked.out / "seconds" / name, asked.seeds, *base, *words, count)
        told(asked, "seconds", equal)


def told(asked: Asked, which: str, took: dict[str, float]) -> None:
    """Measure a race: its table, and its figure."""
    folders = {name: asked.out / which / name for name in took}
    folders |= {name: asked.out / "controls" / name for name in sorted(asked.controls)}
    drawn = {name: folder for name, folder in folders.items() if name != "real_image"}  # photographs are not ours
    figure(drawn).save(asked.out / f"{which}.png")
    ordered = [OURS, *(name for name in folders if name != OURS)]
    words = [*judged(asked), *asked.real, "measures=[recognised,driven,natural,various]"]
    measured = dgn.measure(*(folders[name] for name in ordered), words=words)
    rows = [["row", "s a picture", *COLUMNS, "log2 rank, dgn minus it"]]
    for name in folders:
        found = [cell(measured.runs[name], column) for column in COLUMNS.values()]
        less = cell(measured.differences.get(name, []), RANK)
        rows.append([name, f"{took[name]:.2f}" if name in took else "", *found, less])
    save(asked.out / f"{which}.md", rows)


def trusted(asked: Asked) -> None:
    """How far a judge is led by what each method moves: the code of its generator, or pixels where it has none."""
    words = [*judged(asked), "measures=[trusted]", "trusted.steps=20", f"trusted.pictures={len(UNITS[asked.target])}"]
    folders = {name: asked.out / "passes" / name for name in asked.climbs}
    measured = dgn.measure(*folders.values(), words=words)
    rows = [["row", "what moves", *TRUSTED]]
    for name, folder in folders.items():
        own = "pixels" if "dgn.generators.pixels" in (folder / "config.yaml").read_text() else "code"
        rows.append(
            [name, own, *(cell(measured.runs[name], wanted.replace("OWN", own)) for wanted in TRUSTED.values())]
        )
    save(asked.out / "trusted.md", rows)


def task(asked: Asked) -> None:
    """The two-alternative task: channels of a hidden layer and their opposites, by each method."""
    words = [f"units=[{','.join(TASK)}]", "batch_size=36"]
    rows = [["references", "share right", "less those of another unit"]]
    for name, own in asked.climbs.items():
        if "ascent=ppgn" in own:
            continue  # it climbs the probability of a class
        folder = asked.out / "task" / name
        seconds(folder, TASK_SEEDS, *words, *own, f"ascent.steps={steps_of(own, TASK_STEPS)}")
        print(f"two-alternative task: {name}")
        measured = dgn.measure(
            folder, words=[*judged(asked), *asked.real, "measures=[two_alternative]", *WINDOWS]
        ).runs[name]
        if len(rows) == 1:
            rows.append(["real images", cell(measured, "two_alternative/J/natural/*"), ""])
        named = ("synthetic", "synthetic_minus_shuffled")
        rows.append([name, *(cell(measured, f"two_alternative/J/{which}/*") for which in named)])
    save(asked.out / "task.md", rows)


def judged(asked: Asked) -> list[str]:
    """The words of a judge."""
    return [f"network@judge={JUDGE}", f"judge.weights={asked.judge}"]


def cell(measures: list[Measure], wanted: str) -> str:
    """A number with its interval; J is the judge, `…:` ends in any layer of it, `…/*` in anything."""
    wanted = wanted.replace("/J/", f"/{JUDGE}/").replace("/J:", f"/{JUDGE}:")
    for one in measures:
        layer = wanted.endswith(":") and one.name.startswith(wanted) and one.name.count("/") == wanted.count("/")
        ends = wanted.endswith("*") and one.name.startswith(wanted[:-1])
        if one.value == one.value and (layer or ends or one.name == wanted):
            return f"{one.value:.3g}" + (f" [{one.low:.3g}, {one.high:.3g}]" if one.low == one.low else "")
    return ""


def save(path: Path, rows: list[list[str]]) -> None:
    """Write a table, and print it."""
    path.write_text("".join(f"| {' | '.join(row)} |\n" for row in (rows[0], ["---"] * len(rows[0]), *rows[1:])))
    print(path.read_text())


def figure(folders: dict[str, Path]) -> Image.Image:
    """A row a method, the same units in every row."""
    units = list(dict.fromkeys(row.unit for row in results.read(folders[OURS] / "results.csv")))
    chosen = units[:: max(1, len(units) // SHOWN)][:SHOWN]
    canvas = Image.new("RGB", (LEFT + SHOWN * (SIDE + 4), len(folders) * (SIDE + 4) + 20), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(11)
    for top, (name, folder) in enumerate(folders.items()):
        rows = {row.unit: row for row in reversed(results.read(folder / "results.csv"))}  # the first seed
        draw.text((4, 20 + top * (SIDE + 4) + SIDE // 2), name, "black", font, "lm")
        for i, unit in enumerate(chosen):
            left = LEFT + i * (SIDE + 4)
            if top == 0:
                draw.text((left, 2), rows[unit].label[:16], "black", font)
            with Image.open(folder / rows[unit].image) as picture:
                shown = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            canvas.paste(shown, (left, 20 + top * (SIDE + 4)))
    return canvas


def main() -> None:
    """The races that are asked for."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("out", type=Path)
    words.add_argument("--data", required=True, help="Tiny ImageNet")
    words.add_argument("--judge", required=True, help="weights of SqueezeNet 1.1")
    words.add_argument("--target", choices=UNITS, default="caffenet64")
    words.add_argument("--steps", type=int, default=PASSES, help="passes of every method")
    words.add_argument("--seeds", type=int, default=2)
    words.add_argument("--races", nargs="+", choices=RACES, default=RACES)
    words.add_argument("--only", nargs="+", default=[], help="rows; dgn is always there")
    asked = Asked(**vars(words.parse_args()))
    if {"passes", "seconds", "trusted"} & {*asked.races}:
        race(asked)
    if "trusted" in asked.races:
        trusted(asked)
    if "task" in asked.races:
        task(asked)


if __name__ == "__main__":
    main()
