"""`dgn bundle info FILE`: what a generator's file holds."""

from collections.abc import Sequence

from dgn.cli.parser import Parser


def parser() -> Parser:
    """What the command takes."""
    made = Parser(prog="dgn bundle", description=__doc__)
    actions = made.add_subparsers(required=True, parser_class=Parser)
    info = actions.add_parser("info", help="what a bundle holds, a line a fact")
    info.add_argument("bundle", help="a file that train.py wrote, or the name of a shipped one")
    info.add_argument("--kind", help="the path of the class of its generator, where that is one of your own")
    return made


def run(words: Sequence[str]) -> None:
    """Print the facts."""
    asked = parser().parse_args(words)
    from dgn.generators import lookup
    from dgn.generators.describe import info

    print(info(lookup.find(asked.bundle), asked.kind))
