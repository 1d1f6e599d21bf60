"""`dgn data prepare SRC DST` shrinks a data set once, `bench` measures the loader, `spectrum FILE` magnitudes."""

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
    """The options of the commands."""
    options = Parser(
        prog="dgn data",
        description="Shrink a data set once, measure how fast images are read, or measure their spectrum.",
    )
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
    spectrum = commands.add_parser(
        "spectrum",
        help="measure the mean Fourier magnitudes of a data set, for generator=maco",
        description="Write the mean magnitudes of at most --images training images of data.crop px, with decorrelated "
        "colours.",
        epilog="example: dgn data spectrum FILE data=imagefolder data.root=DIR data.resize=160 data.crop=160",
    )
    spectrum.add_argument("file", metavar="FILE", type=Path, help="the .safetensors file to write")
    spectrum.add_argument("words", metavar="KEY=VALUE", nargs="*", default=[], help="settings of dgn train")
    spectrum.add_argument("--images", type=int, default=10_000, help="at most so many; default: 10000")
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
    elif asked.command == "spectrum":
        from dgn import data
        from dgn.data import spectrum

        with explained("train", asked.words):
            config = training(asked.words)
        if asked.images < 1:
            raise UserError("a spectrum needs at least one image: set --images=1000")
        count = spectrum.write(data.build(config.data, config.augment, config.seed), asked.images, asked.file)
        print(f"{asked.file}: mean magnitudes of {count} images of {config.data.crop} px; use it by generator=maco "
              f"generator.args.magnitude={asked.file}")  # fmt: skip
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
