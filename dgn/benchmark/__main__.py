"""`python -m dgn.benchmark`: the tables of docs/benchmarks.md, measured on this machine, as Markdown."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dgn.base.errors import UserError
from dgn.benchmark.job import Job, apart, here
from dgn.benchmark.sections import SECTIONS, Machine, Section


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    found = argparse.ArgumentParser(
        prog="python -m dgn.benchmark",
        description="Measure this machine and print Markdown: about ten minutes on two cores, on which nothing else "
        "should run.",
    )
    found.add_argument("sections", metavar="SECTION", nargs="*", help=f"{', '.join(SECTIONS)}; all by default")
    found.add_argument("--quick", action="store_true", help="everything tiny: to try the command, not to measure")
    return found


def chosen(names: Sequence[str], quick: bool) -> list[Section]:
    """The machine's description and the sections of these names."""
    for name in names:
        if name not in SECTIONS:
            raise UserError(f"there is no section {name!r}: type {', '.join(SECTIONS)}")
    return [Machine(quick), *(kind(quick) for name, kind in SECTIONS.items() if not names or name in names)]


def measured(section: Section, run: Callable[[Job], dict[str, Any]]) -> str:
    """A section's Markdown; a bar over its jobs meanwhile, where it does not get into the text."""
    jobs, found = section.jobs(), []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(jobs))
        for job in jobs:
            progress.update(task, description=job.what)
            found.append(run(job))
            progress.advance(task)
    return f"## {section.title}\n\n{section.markdown(found)}\n"


def main(typed: Sequence[str] | None = None) -> None:
    """Exit codes: 0 done, 1 a mistake, 130 after Ctrl-C. `typed` is the command line's by default."""
    asked = parser().parse_args(typed)
    try:
        for section in chosen(asked.sections, asked.quick):
            print(measured(section, here if asked.quick else apart), flush=True)
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
