"""`dgn paper [CLAIM …] [KEY=VALUE …]`: settle the paper's claims, from what is missing to docs/paper.md."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dgn import settings
from dgn.base.errors import UserError
from dgn.cli.parser import Parser
from dgn.paper.settings import PaperSettings
from dgn.settings.check import check
from dgn.settings.messages import explained


def parser() -> Parser:
    """The options of the command."""
    kind: Any = argparse.RawDescriptionHelpFormatter
    made = Parser(
        prog="dgn paper",
        formatter_class=kind,
        description="Settle the paper's claims: train what is missing, make the pictures, measure them, and write the\n"
        "tables, figures and the page docs/paper.md anew. In a clone; make paper does the same. What is\n"
        "finished is not repeated, and what was stopped goes on.",
        epilog=(settings.CONF / "paper.yaml").read_text(encoding="utf-8").partition("# Words")[0],
    )
    made.add_argument("words", nargs="*", metavar="CLAIM|KEY=VALUE", help="names of claims, all by default; settings")
    made.add_argument("--list", action="store_true", help="print the steps that are left, and do nothing")
    return made


def request(words: Sequence[str]) -> tuple[list[str], PaperSettings, bool]:
    """The names of claims, the settings, and whether the steps are only to be printed."""
    asked = parser().parse_intermixed_args(words)
    typed = [word for word in asked.words if "=" in word]
    with explained("paper", typed):
        config = check(settings.composed("paper", settings.words("paper", typed)), PaperSettings)
    names = [word for word in asked.words if "=" not in word]
    config.chosen(names)
    return names, config, asked.list


def run(words: Sequence[str]) -> None:
    """Take the steps that are left, a line each, and write the page."""
    names, config, only_list = request(words)
    if not Path(config.docs).is_dir():
        raise UserError(f"there is no folder {config.docs}: run dgn paper in a clone, or set docs=DIR")
    from dgn.paper import networks, page, settle, steps

    left = [step for step in steps.plan(config, names) if not step.done()]
    hours = sum(step.hours for step in left)
    print(f"{len(left)} steps are left, about {hours:.1f} hours on two cores", flush=True)
    if only_list:
        print("\n".join(f"  {step.name}: dgn {' '.join(step.words)}" for step in left))
        return
    for step in left:
        print(f"{step.name}: {steps.take(step) / 60:.1f} minutes", flush=True)
    for name in config.chosen(names):
        print(f"{name}: {settle.settle(name, config)}", flush=True)
    networks.update(config, Path(config.docs) / "paper")
    print(f"page: {page.write(config, Path(config.docs)).resolve()}")
