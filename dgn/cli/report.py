"""`dgn report page|sweep|merge`: pages from folders that runs have written."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError

from dgn import report
from dgn.base.errors import UserError
from dgn.cli.parser import Parser
from dgn.sweeps import jobs
from dgn.sweeps.merge import merge
from dgn.sweeps.page import write_sweep


def parser() -> Parser:
    """The three actions and their words."""
    made = Parser(prog="dgn report", description=__doc__)
    actions = made.add_subparsers(required=True, parser_class=Parser)
    page = actions.add_parser("page", help="one page of one or more runs, units that they share side by side")
    page.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    page.add_argument("--output", type=Path, metavar="DIR", help="default: the folder of the one run")
    page.add_argument("--title", help="default: the run's own")
    page.set_defaults(run=_page)
    sweep = actions.add_parser("sweep", help="the page and tables of a sweep's folder")
    sweep.add_argument("sweep", type=Path, metavar="DIR")
    sweep.set_defaults(run=_sweep)
    merge = actions.add_parser("merge", help="the shards of a run as one run")
    merge.add_argument("shards", nargs="+", type=Path, metavar="SHARD", help="their folders, or that of their sweep")
    merge.add_argument("--output", type=Path, metavar="DIR", help="by default the folder of their sweep")
    merge.set_defaults(run=_merge)
    return made


def run(words: Sequence[str]) -> None:
    """One action; exit code 1 where a sweep has points that are not finished."""
    asked = parser().parse_args(words)
    try:
        asked.run(asked)
    except (OSError, SafetensorError) as error:  # a run's folder from which something was taken
        raise UserError(str(error)) from error


def _page(chosen: argparse.Namespace) -> None:
    sweeps = [run for run in chosen.runs if jobs.is_sweep(run)]
    if sweeps and (len(chosen.runs) > 1 or chosen.output or chosen.title):
        raise UserError(
            f"{sweeps[0]} is a sweep, whose page stands in its folder: name it alone, without other options"
        )
    if sweeps:
        _sweep(argparse.Namespace(sweep=sweeps[0]))
        return
    if chosen.output is None and len(chosen.runs) > 1:
        raise UserError("a page of several runs needs a folder of its own: add --output DIR")
    print(f"page: {report.write_page(chosen.runs, chosen.output or chosen.runs[0], chosen.title).resolve()}")


def _sweep(chosen: argparse.Namespace) -> None:
    said, complete = write_sweep(chosen.sweep)
    print(said)
    if not complete:
        sys.exit(1)


def _merge(chosen: argparse.Namespace) -> None:
    shards, output = chosen.shards, chosen.output
    if len(shards) == 1 and (shards[0] / "multirun.yaml").exists():
        output = output or shards[0]
        shards = [point.folder for point in jobs.read(shards[0]) if point.current and point.folder]
    if output is None:
        raise UserError("where the whole run goes is not said: type --output DIR")
    print(f"page: {merge(shards, output).resolve()}")
