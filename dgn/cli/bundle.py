"""`dgn bundle`: those that ship; `info FILE`: what a bundle (a generator's file) contains; `import FILE`: make one of a
released generator; `push FILE hf://OWNER/NAME`: upload one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dgn.base.errors import UserError
from dgn.cli.parser import Parser

ACTIONS = ("info", "import", "push")
PAGE = "README.md"  # of a repository on the hub


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
    push = actions.add_parser("push", help="upload a bundle to the Hugging Face hub, with a page made of its record")
    push.add_argument("bundle", help="the bundle")
    push.add_argument("name", metavar="hf://OWNER/NAME[/FILE]", help="where to: a repository, made if there is none")
    push.add_argument("--private", action="store_true", help="make the repository a private one")
    for action in (info, push):
        action.add_argument("--kind", help="import path of the generator's class, if it is your own: my_pkg.MyG")
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
    if words[0] == "push":
        print(_push(lookup.find(asked.bundle), asked.name, asked.kind, asked.private))
        return
    from dgn.generators.describe import info

    print(info(lookup.find(asked.bundle), asked.kind))


def _push(path: Path, target: str, kind: str | None, private: bool) -> str:
    """Upload a bundle; what was done, in a line. The repository's own page is left alone if it has one."""
    from dgn.base import hub
    from dgn.generators.describe import card

    place = hub.Name.of(target)
    if place.revision:
        raise UserError(f"a bundle is pushed to the newest revision: leave @{place.revision} out")
    file = place.file or path.name
    name = f"{hub.SCHEME}{place.repository}/{file}"
    files: dict[str, Path | bytes] = {file: path, PAGE: card(path, kind, name).encode()}
    if has_page := hub.has(place, PAGE):
        del files[PAGE]
    url = hub.push(place, files, f"Add {file}", private)
    return f"{name}: {url}" + f"; its {PAGE} was left as it is" * has_page
