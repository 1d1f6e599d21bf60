"""`dgn benchmark`: measure the tables of docs/benchmarks.md on this machine; prints Markdown."""

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dgn.base.errors import UserError
from dgn.benchmark.job import Job, apart, here
from dgn.benchmark.sections import ONLY_ASKED, SECTIONS, Machine, Section
from dgn.cli.parser import Parser


def parser() -> Parser:
    """The options of the command."""
    options = Parser(
        prog="dgn benchmark",
        description="Measure this machine and print Markdown. Takes about ten minutes on two cores; run nothing else "
        "meanwhile.",
    )
    options.add_argument(
        "sections",
        metavar="SECTION",
        nargs="*",
        help=f"{', '.join(SECTIONS)}; default: the first four. race and prior run only if asked for, and "
        "take settings: race network@judge=squeezenet1_1 judge.weights=FILE, or prior data.root=DIR, which takes an "
        "hour or more",
    )
    options.add_argument(
        "--quick", action="store_true", help="tiny sizes, to try the command; the numbers mean nothing"
    )
    return options


def chosen(names: Sequence[str], quick: bool) -> list[Section]:
    """The machine's description and the sections of these names."""
    words, names = [name for name in names if "=" in name], [name for name in names if "=" not in name]
    for name in names:
        if name not in SECTIONS:
            raise UserError(f"there is no section {name!r}: choose from {', '.join(SECTIONS)}")
    if words and (len(names) != 1 or names[0] not in ONLY_ASKED):
        raise UserError(f"only race or prior takes settings: write dgn benchmark race {' '.join(words)}")
    asked = names or [name for name in SECTIONS if name not in ONLY_ASKED]
    return [Machine(quick), *(SECTIONS[name](quick, words) for name in SECTIONS if name in asked)]


def measured(section: Section, run: Callable[[Job], dict[str, Any]]) -> str:
    """Measure a section and return its Markdown; a progress bar goes to stderr."""
    jobs, results = section.jobs(), []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(jobs))
        for job in jobs:
            progress.update(task, description=job.what)
            results.append(run(job))
            progress.advance(task)
    return f"## {section.title}\n\n{section.markdown(results)}\n"


def run(words: Sequence[str]) -> None:
    """Print each section once it is measured."""
    asked = parser().parse_args(words)
    for section in chosen(asked.sections, asked.quick):
        print(measured(section, here if asked.quick else apart), flush=True)
