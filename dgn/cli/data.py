"""`dgn data prepare SRC DST` shrinks a data set once; `dgn data bench` measures the loader."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dgn import settings
from dgn.base.errors import UserError
from dgn.base.typed import validated
from dgn.cli.parser import Parser
from dgn.data.settings import PrepareSettings
from dgn.settings.check import check
from dgn.settings.messages import explained
from dgn.training.settings import TASKS, TrainSettings


def parser() -> Parser:
    """The options of both commands."""
    options = Parser(prog="dgn data", description="Shrink a data set once, or measure how fast images are read.")
    commands = options.add_subparsers(dest="command", required=True, parser_class=Parser)
    kind: Any = argparse.RawDescriptionHelpFormatter
    prepare = commands.add_parser(
        "prepare",
        formatter_class=kind,
        help="shrink a data set once",
        description="Shrink the images of SRC to JPEGs in the same folders under DST; copy its .txt and .csv files "
        "unchanged.\nIf interrupted, run the same command again to continue.",
        epilog=(settings.CONF / "prepare.yaml").read_text(),
    )
    prepare.add_argument("source", metavar="SRC", type=Path, help="a folder of images, in any layout")
    prepare.add_argument("target", metavar="DST", type=Path, help="the folder to write")
    prepare.add_argument("words", metavar="KEY=VALUE", nargs="*", default=[], help="settings, see below")
    bench = commands.add_parser(
        "bench",
        help="measure the data loader",
        description="Print how many images per second the data loader delivers with these settings of dgn train.",
        epilog="example: dgn data bench data=imagenet data.root=DIR data.workers=4",
    )
    bench.add_argument("words", metavar="KEY=VALUE", nargs="*", default=[], help="settings of dgn train")
    return options


def run(words: Sequence[str]) -> None:
    """Run one command; torch is imported only if needed."""
    asked = parser().parse_args(words)
    from dgn.base import process

    process.prepare()
    if asked.command == "bench":
        from dgn.benchmark.image_loading import bench

        with explained("train", asked.words):
            config = training(asked.words)
        for line in bench(config):
            print(line, flush=True)
    else:
        from dgn.data.prepare import prepare

        with explained("prepare", asked.words):
            keys = settings.plain(settings.composed("prepare", settings.words("prepare", asked.words)).config)
        validated(PrepareSettings, keys)
        try:
            prepare(asked.source.expanduser(), asked.target.expanduser(), **keys)
        except OSError as error:  # a full disk, a folder that may not be read
            raise UserError(f"{error}: mend that and run the same command again to continue") from error


def training(words: Sequence[str]) -> TrainSettings:
    """The settings of `dgn train` with these overrides, without output folder and logger."""
    composed = settings.composed("train", [*settings.words("train", words), "output=unused"])
    composed.config.logger = {}
    return check(composed, TASKS[composed.config.task])
