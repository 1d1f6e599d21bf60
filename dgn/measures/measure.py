"""Measure finished runs: from their folders to tables with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dgn import loggers, report
from dgn.base import lightning, process
from dgn.base.errors import UserError
from dgn.base.typed import validated
from dgn.data.settings import DataSettings
from dgn.evaluation import judge
from dgn.measures.finished import Finished
from dgn.measures.found import differences
from dgn.measures.intervals import Measure
from dgn.measures.look import Eye
from dgn.measures.registry import measured as find
from dgn.measures.settings import MeasureSettings
from dgn.measures.subject import Subject, Tools, took_part
from dgn.networks.settings import NetworkSettings
from dgn.report import measured
from dgn.settings.check import check
from dgn.settings.keywords import configured
from dgn.synthesis.pictures import Pictures
from dgn.synthesis.settings import SynthesizeSettings

Runs = Mapping[str, list[Measure]]


@dataclass(frozen=True)
class Measured:
    """The measures of one call.

    Attributes:
        runs: of each run, by its folder's name.
        differences: of the first run minus each other one, over the units that both share, by the other's name.
        page: of several runs with `output`, the page that shows them; else None.
    """

    runs: Runs
    differences: Runs = field(default_factory=dict)
    page: Path | None = None

    def table(self) -> list[dict[str, Any]]:
        """One dict of plain values per run and measure, for `pandas.DataFrame(measured.table())`."""
        return [{"run": name} | record(one) for name, measures in self.runs.items() for one in measures]

    def __str__(self) -> str:
        parts = [f"{name}\n{measured.text(map(record, measures))}" for name, measures in self.runs.items()]
        first = next(iter(self.runs))
        parts += [f"{first} minus {other}\n{measured.text(map(record, measures))}"
                  for other, measures in self.differences.items()]  # fmt: skip
        return "\n\n".join(parts)


def measure(
    *runs: Path | str | Pictures, words: Sequence[str] = (), network: nn.Module | None = None, **settings: Any
) -> Measured:
    """How good the pictures of finished runs are, each number with its n and a 95 % interval.

        dgn.measure("out", judge="squeezenet1_1", **{"judge.weights": "FILE", "data.root": "DIR"})

    Writes `measures.csv` into each run's folder, and the table on its page. What is measured, and how to read it:
    docs/measures.md.

    Args:
        runs: folders of finished runs, or what `synthesize(…, output=DIR)` gave.
        words: command-line settings, such as "network@judges.second=efficientnet_lite0".
        network: the live target of the runs, where they had one.
        settings: any key of conf/measure.yaml, nested or dotted.

    Raises UserError, one sentence, for a mistake in the request or a folder that is not a finished run.
    """
    composed = configured("measure", words, [settings])
    with process.restored():
        return run([_folder(one) for one in runs], check(composed, MeasureSettings), network)


def run(folders: Sequence[Path], config: MeasureSettings, network: nn.Module | None = None) -> Measured:
    """Measure runs, write their tables and pages. Nothing is written before all is measured."""
    if not folders:
        raise UserError("no run is given: dgn measure RUN, the folder of a finished run")
    finished = [Finished.read(folder) for folder in folders]
    names = _names(finished)
    tools = Tools(config, [], _data(config, finished), torch.device(lightning.device(config.trainer["accelerator"])),
                  network)  # fmt: skip
    subjects = [Subject(one, tools) for one in finished]
    tools.eyes += _eyes(config, subjects, tools.device)
    found = [[one for name in config.measures for one in find(name, subject)] for subject in subjects]
    told = {name: [one.told() for one in those] for name, those in zip(names, found, strict=True)}
    apart = {name: differences(found[0], those) for name, those in zip(names[1:], found[1:], strict=True)}
    for subject, measures in zip(subjects, told.values(), strict=True):
        _write(subject.run, config.measures, measures)
    page = _compare(config, names[0], folders, apart)
    return Measured(told, apart, page)


def record(one: Measure) -> dict[str, Any]:
    """A measure as a row of a table."""
    row = asdict(one)
    return {"measure": row.pop("name"), **row}


def _folder(one: Path | str | Pictures) -> Path:
    if isinstance(one, Pictures):
        if one.page is None:
            raise UserError("these pictures have no folder: call dgn.synthesize(…, output=DIR) and measure that")
        return one.page.parent
    return Path(one).expanduser()


def _names(runs: Sequence[Finished]) -> list[str]:
    """The folders' names; their paths where two have one name. UserError for a run given twice."""
    folders = [run.folder.resolve() for run in runs]
    if len(set(folders)) < len(folders):
        raise UserError("a run is given twice: give each once")
    short = [folder.name for folder in folders]
    return [name if short.count(name) == 1 else str(folder) for name, folder in zip(short, folders, strict=True)]


def _data(config: MeasureSettings, runs: Sequence[Finished]) -> DataSettings | None:
    """The real images that are set, or those of the first run that had any."""
    if config.data.root:
        return config.data
    own = [run.config["data"] for run in runs if (run.config.get("data") or {}).get("root")]
    if not own:
        return None
    print(f"real images: those of the run, {own[0]['root']}")
    return validated(DataSettings, own[0], "data.")


def _eyes(config: MeasureSettings, subjects: Sequence[Subject], device: torch.device) -> list[Eye]:
    """The judges that are set, and the first run's own if none is. UserError for one that made a run's pictures."""
    networks = [*([config.judge] if config.judge else []), *config.judges.values()]
    if not networks:
        own = [subject.run.config["judge"] for subject in subjects if subject.run.config.get("judge")]
        networks = [validated(NetworkSettings, node, "judge.") for node in own[:1]]
    names = [network.name for network in networks]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"two judges are called {twice}: set judges.NAME.name=ANOTHER")
    part = took_part(subjects)
    return [Eye(judge.load(network, part), device) for network in networks]


def _write(run: Finished, which: Sequence[str], measures: Sequence[Measure]) -> None:
    """The table in the run's folder, on its page, and in its logger if that keeps figures.

    Lines of other measures, from earlier calls, stay.
    """
    earlier = [row for row in measured.read_if_sound(run.folder) if row["measure"].partition("/")[0] not in which]
    measured.write(run.folder / measured.FILE, [*earlier, *map(record, measures)])
    report.write_page([run.folder], run.folder)
    if "logger" not in run.config or not loggers.keeps_figures(run.config["logger"]):
        return
    with loggers.observe(validated(SynthesizeSettings, run.config), run.folder) as logs:
        for log in logs:
            log.measures({one.name: one.value for one in measures if one.value == one.value})


def _compare(config: MeasureSettings, first: str, folders: Sequence[Path], apart: Runs) -> Path | None:
    """The page of several runs with their differences, where a folder is set for it."""
    if config.output is None:
        return None
    if not apart:
        raise UserError("output is for the page of several runs: leave it out, the run's own page has its table")
    output = Path(config.output).expanduser()
    output.mkdir(parents=True, exist_ok=True)
    rows = [{"first": first, "second": name} | record(one) for name, measures in apart.items() for one in measures]
    measured.write(output / measured.DIFFERENCES, rows)
    return report.write_page(list(folders), output)
