"""`dgn dashboard --entity YOU`: write the W&B workspace that compares runs."""

import json
from collections.abc import Sequence
from pathlib import Path

from dgn.cli.parser import Parser
from dgn.loggers.dashboard import save, swept, workspace


def parser() -> Parser:
    """The options of the command."""
    made = Parser(prog="dgn dashboard", description="Write the W&B workspace that compares runs.")
    made.add_argument(
        "sweep", nargs="?", type=Path, metavar="DIR", help="a sweep's folder; show its runs and swept keys"
    )
    made.add_argument("--entity", required=True, help="the W&B user or team that owns the project")
    made.add_argument("--project", default="dgn", help="logger.project of the runs; default: %(default)s")
    made.add_argument("--name", default="Comparison", help="name of the workspace; default: %(default)s")
    made.add_argument("--dry-run", action="store_true", help="print the workspace as JSON; needs no account")
    return made


def run(words: Sequence[str]) -> None:
    """Write the workspace, or print it."""
    asked = parser().parse_args(words)
    keys, group = (swept(asked.sweep), asked.sweep.resolve().name) if asked.sweep else ([], None)
    made = workspace(asked.entity, asked.project, asked.name, keys, group)
    if asked.dry_run:
        model = made._to_model().model_dump(mode="json", by_alias=True, exclude_none=True)  # what save() sends
        print(json.dumps(model, indent=2))
    else:
        print(f"workspace: {save(made)}")
