"""The race on equal terms: `python docs/research/scripts/race.py OUT --data DIR --judge FILE`

Every method of experiments/race.yaml on 25 odd classes, two seeds each: once with the same number of forward and
backward passes, once with as many steps as fit the seconds a picture that dgn's defaults take. The controls of
race.yaml and race_real.yaml as well. All are measured by `dgn measure`; OUT/passes.md and OUT/seconds.md have a row a
method. What OUT already has is not computed again. `--target` and `--steps` choose another network and its number of
passes.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import yaml

import dgn
from dgn.measures.intervals import Measure
from dgn.report import results

REPOSITORY = Path(__file__).resolve().parents[3]
UNITS = {"caffenet64": range(1, 200, 8), "efficientnet_lite0": range(1, 1000, 40)}  # odd numbers
OURS = "dgn"
COLUMNS = {  # of measures.csv; J is the judge's name
    "target top-1": "recognised/target/top1",
    "judge top-1": "recognised/J/top1",
    "judge top-5": "recognised/J/top5",
    "judge log2 rank": "recognised/J/log2_rank",
    "above 95th percentile": "driven/above_95",
    "KID": "natural/kid/J:",
    "various": "various/features/J:",
}
RANK = COLUMNS["judge log2 rank"]


def methods(experiment: str) -> dict[str, list[str]]:
    """Each row of an experiment with its words, without the units."""
    panels = yaml.safe_load((REPOSITORY / "experiments" / f"{experiment}.yaml").read_text())["panels"]
    return {row: [word for word in words if not word.startswith("units=")] for row, words in panels.items()}


def seconds(output: Path, *words: str) -> float:
    """Synthesize what OUT lacks, in a process of its own; the seconds a picture."""
    if not (output / "manifest.json").exists():
        seeds = 1 if "start.choose=mean" in words else 2  # a class has one mean code
        line = [sys.executable, "-m", "dgn", "synthesize", *words, f"seeds={seeds}", "batch_size=10", "resume=true"]
        subprocess.run([*line, f"output={output}"], check=True)
    rows = results.read(output / "results.csv")
    return sum(row.seconds for row in rows) / len(rows)


def races(out: Path, target: str, steps: int, data: list[str]) -> dict[str, dict[str, float]]:
    """The runs of both races, and the seconds a picture of each."""
    base = [f"network@target={target}", f"units=[{','.join(map(str, UNITS[target]))}]"]
    rows = methods("race")
    controls = {name: words for name, words in rows.items() if "ascent=stay" in words}
    climbs = {name: words for name, words in rows.items() if name not in controls}
    real = {name: [*words, *data, "real_from=val"] for name, words in methods("race_real").items()}
    for name, words in (controls | real).items():
        seconds(out / "controls" / name, *base, *words)
    passes, equal = {}, {}
    for name, words in climbs.items():
        passes[name] = seconds(out / "passes" / name, *base, *words, f"ascent.steps={steps}")
    for name, words in climbs.items():
        fitting = max(1, round(steps * passes[OURS] / passes[name]))
        equal[name] = seconds(out / "seconds" / name, *base, *words, f"ascent.steps={fitting}")
    return {"passes": passes, "seconds": equal}


def cell(measures: list[Measure], wanted: str) -> str:
    """A number with its interval; a name that ends in : stands for the first that begins so, of the pictures alone."""
    for one in measures:
        begins = wanted.endswith(":") and one.name.startswith(wanted) and one.name.count("/") == wanted.count("/")
        if one.value == one.value and (begins or one.name == wanted):
            return f"{one.value:.3g}" + (f" [{one.low:.3g}, {one.high:.3g}]" if one.low == one.low else "")
    return ""


def table(folders: dict[str, Path], took: dict[str, float], judge: str, words: list[str]) -> str:
    """Measure the runs, ours first; a row each, and ours minus each in the judge's rank."""
    ordered = [OURS, *(name for name in folders if name != OURS)]
    measured = dgn.measure(*(folders[name] for name in ordered), words=words)
    head = ["row", "s a picture", *COLUMNS, "log2 rank, dgn minus it"]
    rows = [head, ["---"] * len(head)]
    for name in folders:
        cells = [cell(measured.runs[name], wanted.replace("J", judge)) for wanted in COLUMNS.values()]
        less = cell(measured.differences.get(name, []), RANK.replace("J", judge))
        rows.append([name, f"{took[name]:.2f}" if name in took else "", *cells, less])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main() -> None:
    """Both races and their tables."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("out", type=Path)
    words.add_argument("--data", required=True)
    words.add_argument("--judge", required=True)
    words.add_argument("--target", choices=UNITS, default="caffenet64")
    words.add_argument("--steps", type=int, default=200)
    asked = words.parse_args()
    data = [f"data.root={asked.data}"]
    took = races(asked.out, asked.target, asked.steps, data)
    judged = [
        "network@judge=squeezenet1_1",
        f"judge.weights={asked.judge}",
        *data,
        "measures=[recognised,driven,natural,various]",
    ]
    for race, seconds_of in took.items():
        folders = {name: asked.out / race / name for name in seconds_of}
        folders |= {path.name: path for path in sorted((asked.out / "controls").iterdir())}
        (asked.out / f"{race}.md").write_text(table(folders, seconds_of, "squeezenet1_1", judged))
        print((asked.out / f"{race}.md").read_text())


if __name__ == "__main__":
    main()
