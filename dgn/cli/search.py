"""`dgn search [KEY=VALUE …]`: search without a gradient, for what a function or a rig measures."""

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
        prog="dgn search",
        formatter_class=kind,
        description="Search for the pictures that something responds to most, from its responses alone: a function\n"
        "of yours, score._target_=my_pkg.rig, or what answers through the folder output/ask. docs/search.md shows how.",
        epilog=(settings.CONF / "search.yaml").read_text(encoding="utf-8"),
    )
    made.add_argument("words", nargs="*", metavar="KEY=VALUE", help="settings")
    made.add_argument("--config-dir", help="a folder with your own stimulus/NAME.yaml or ascent/NAME.yaml")
    return made


def request(words: Sequence[str]) -> Composed:
    """The settings."""
    asked = parser().parse_intermixed_args(words)
    with explained("search", asked.words):
        return settings.composed("search", settings.words("search", asked.words), asked.config_dir)


def run(words: Sequence[str]) -> None:
    """Search, and say where the page is."""
    composed = request(words)
    from dgn.base import process
    from dgn.base.files import claim
    from dgn.synthesis import rig
    from dgn.synthesis.settings import SearchSettings

    process.prepare()
    config = check(composed, SearchSettings)
    folder = Path(config.output).expanduser()
    with claim(folder, config.resume):
        rig.run(config)
    print(f"page: {(folder / 'index.html').resolve()}")
