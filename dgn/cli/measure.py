"""`dgn measure RUN [RUN …] [KEY=VALUE …]`: how good finished runs' pictures are, with n and intervals."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dgn import settings
from dgn.cli.parser import Parser
from dgn.settings import Composed
from dgn.settings.check import check
from dgn.settings.messages import explained


def parser() -> Parser:
    """The options of the command."""
    kind: Any = argparse.RawDescriptionHelpFormatter
    made = Parser(
        prog="dgn measure",
        formatter_class=kind,
        description="Measure the pictures of finished runs: write measures.csv into each run's folder and the table on "
        "its\npage. Of several runs, the first is also compared with each other one. docs/measures.md says how to read "
        "it.",
        epilog=(settings.CONF / "measure.yaml").read_text(encoding="utf-8"),
    )
    made.add_argument("words", nargs="*", metavar="RUN|KEY=VALUE", help="folders of finished runs, and settings")
    made.add_argument("--config-dir", help="a folder with your own network/NAME.yaml or data/NAME.yaml")
    return made


def request(words: Sequence[str]) -> tuple[list[Path], Composed]:
    """The runs' folders, and the settings; a word with = is a setting, unless there is a folder of that name."""
    asked = parser().parse_intermixed_args(words)
    runs = [word for word in asked.words if "=" not in word or Path(word).is_dir()]
    typed = [word for word in asked.words if word not in runs]
    with explained("measure", typed):
        composed = settings.composed("measure", settings.words("measure", typed), asked.config_dir)
    return [Path(one).expanduser() for one in runs], composed


def run(words: Sequence[str]) -> None:
    """Measure, and print the tables."""
    runs, composed = request(words)
    from dgn.base import process
    from dgn.measures import measure
    from dgn.measures.settings import MeasureSettings

    process.prepare()
    done = measure.run(runs, check(composed, MeasureSettings))
    print(f"{done}\n")
    for page in [*([done.page] if done.page else []), *(folder / "index.html" for folder in runs)]:
        print(f"page: {page.resolve()}")
