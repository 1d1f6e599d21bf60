"""`dgn report page|sweep|merge`: write pages from the folders of finished runs, or merge shards."""

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
    """The three actions and their options."""
    made = Parser(
        prog="dgn report",
        description="Write pages from the folders of finished runs, or merge the shards of one run.",
    )
    actions = made.add_subparsers(required=True, parser_class=Parser)
    page = actions.add_parser("page", help="one page for one or several runs; shared units side by side")
    page.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run")
    page.add_argument("--output", type=Path, metavar="DIR", help="folder of the page; default for one run: its own")
    page.add_argument("--title", help="title of the page; default: the run's")
    page.set_defaults(run=_page)
    sweep = actions.add_parser("sweep", help="the page and tables of a sweep")
    sweep.add_argument("sweep", type=Path, metavar="DIR", help="folder of the sweep")
    sweep.set_defaults(run=_sweep)
    merge = actions.add_parser("merge", help="merge the shards of a run into one run")
    merge.add_argument("shards", nargs="+", type=Path, metavar="SHARD", help="folders of the shards, or of their sweep")
    merge.add_argument("--output", type=Path, metavar="DIR", help="folder of the whole run; default: that of the sweep")
    merge.set_defaults(run=_merge)
    return made


def run(words: Sequence[str]) -> None:
    """Run one action; exit code 1 if a sweep has unfinished points."""
    asked = parser().parse_args(words)
    try:
        asked.run(asked)
    except (OSError, SafetensorError) as error:  # files are missing from a run's folder
        raise UserError(str(error)) from error


def _page(chosen: argparse.Namespace) -> None:
    sweeps = [run for run in chosen.runs if jobs.is_sweep(run)]
    if sweeps and (len(chosen.runs) > 1 or chosen.output or chosen.title):
        raise UserError(
            f"{sweeps[0]} is a sweep, whose page is written to its own folder: give it alone, without other options"
        )
    if sweeps:
        _sweep(argparse.Namespace(sweep=sweeps[0]))
        return
    if chosen.output is None and len(chosen.runs) > 1:
        raise UserError("a page for several runs needs its own folder: add --output DIR")
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
        raise UserError("the merged run needs a folder: add --output DIR")
    print(f"page: {merge(shards, output).resolve()}")
