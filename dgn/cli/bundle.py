"""`dgn bundle info FILE`: show what a bundle (a generator's file) contains; `import FILE`: make one of a released
generator; `dgn bundle`: those shipped."""

from collections.abc import Sequence
from typing import Any

from dgn.cli.parser import Parser

ACTIONS = ("info", "import")


def parser() -> Parser:
    """The options of the command."""
    made = Parser(
        prog="dgn bundle",
        description="Show what a bundle (a generator's file) contains, or make one of a released generator. Without "
        "arguments: list the bundles that ship with dgn.",
    )
    actions = made.add_subparsers(required=True, parser_class=Parser)
    info = actions.add_parser("info", help="show a bundle's generator, moments, codes and training record")
    info.add_argument("bundle", help="a file written by dgn train, or the name of a shipped bundle")
    info.add_argument("--kind", help="import path of the generator's class, if it is your own: my_pkg.MyG")
    _import(actions)
    return made


def _import(actions: Any) -> None:
    """The options of `dgn bundle import`."""
    options = actions.add_parser(
        "import",
        help="make a bundle of a generator that Dosovitskiy & Brox released",
        description="Make a bundle of a generator that Dosovitskiy & Brox released, as a torch state dict.",
        epilog="example: dgn bundle import upconvGAN_fc6.pt --layer fc6 --bounds act_range/[13]x/fc6.txt --size 227",
    )
    options.add_argument("file", metavar="FILE", help="the state dict: upconvGAN_fc6.pt")
    options.add_argument("--layer", required=True, metavar="NAME",
                         help="norm1, norm2, conv3, conv4, pool5, fc6, fc6_eucl, fc7 or fc8")  # fmt: skip
    moments = options.add_mutually_exclusive_group(required=True)
    moments.add_argument("--bounds", nargs="+", metavar="FILE", help="released bounds, each in its folder: 3x/fc6.txt")
    moments.add_argument("--codes", metavar="FILE", help="codes of real images (N, ...), .npy or .safetensors")
    moments.add_argument("--images", metavar="DIR", help="real images, whose codes CaffeNet computes; needs --weights")
    options.add_argument("--weights", metavar="FILE", help="CaffeNet's: caffenet.pt")
    options.add_argument("--size", type=int, metavar="PX", help="side of the pictures, the centre of what G makes; "
                         "default: all of it; 227 is what training compared")  # fmt: skip
    options.add_argument(
        "--output", metavar="FILE", help="the bundle; default: caffenet-NAME-released.bundle.safetensors"
    )


def run(words: Sequence[str]) -> None:
    """Print the facts."""
    from dgn.generators import lookup

    if not words:
        print("\n".join(lookup.shipped()))
        return
    asked = parser().parse_args(words if words[0] in {*ACTIONS, "-h", "--help"} else ["info", *words])
    if words[0] == "import":
        from dgn.cli import bundle_import

        bundle_import.run(asked)
        return
    from dgn.generators.describe import info

    print(info(lookup.find(asked.bundle), asked.kind))
