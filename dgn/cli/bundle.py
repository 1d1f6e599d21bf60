"""`dgn bundle info FILE`: show what a bundle (a trained generator's file) contains; `dgn bundle`: those shipped."""

from collections.abc import Sequence

from dgn.cli.parser import Parser


def parser() -> Parser:
    """The options of the command."""
    made = Parser(
        prog="dgn bundle",
        description="Show what a bundle (a trained generator's file) contains. Without arguments: list the "
        "bundles that ship with dgn.",
    )
    actions = made.add_subparsers(required=True, parser_class=Parser)
    info = actions.add_parser("info", help="show a bundle's generator, moments, codes and training record")
    info.add_argument("bundle", help="a file written by dgn train, or the name of a shipped bundle")
    info.add_argument("--kind", help="import path of the generator's class, if it is your own: my_pkg.MyG")
    return made


def run(words: Sequence[str]) -> None:
    """Print the facts."""
    from dgn.generators import lookup

    if not words:
        print("\n".join(lookup.shipped()))
        return
    asked = parser().parse_args(words if words[0] in {"info", "-h", "--help"} else ["info", *words])
    from dgn.generators.describe import info

    print(info(lookup.find(asked.bundle), asked.kind))
