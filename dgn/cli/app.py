"""`dgn app [WORDS]`: the explorer on a port of this machine, until Ctrl-C.

torch and gradio are imported only once they are needed, so that `--help` answers at once.
"""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from dgn.base.errors import UserError
from dgn.cli.parser import Parser

OFFLINE = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}  # read when gradio is imported


def run(words: Sequence[str]) -> None:
    """Serve the page."""
    asked = parser().parse_intermixed_args(words)
    if find_spec("gradio") is None:
        raise UserError("the explorer needs gradio: pip install 'dgn[app]'")
    os.environ |= OFFLINE
    serve(asked.words, asked.host, asked.port, asked.runs)


def parser() -> Parser:
    """What the command line takes."""
    found = Parser(
        prog="dgn app",
        description="A page on which a unit is chosen and its picture is watched while it climbs.",
    )
    found.add_argument("words", nargs="*", help="as for synthesize.py, under all that is chosen on the page: "
                        "bundle=FILE, prior=none, target._target_=my_pkg.MyNet target.weights=FILE")  # fmt: skip
    found.add_argument("--host", default="127.0.0.1", help="who may connect: by default this machine alone")
    found.add_argument("--port", type=int, default=7860, help="default: %(default)s")
    found.add_argument("--runs", type=Path, default=Path("runs"), help="where Keep writes; default: %(default)s")
    return found


def serve(words: list[str], host: str, port: int, runs: Path) -> None:
    """Build the page and hold the port until Ctrl-C."""
    from dgn.app import page
    from dgn.app.choices import Choices
    from dgn.base import process

    process.prepare()

    explorer = page.build(Choices(words), runs)
    try:
        explorer.launch(
            server_name=host, server_port=port, prevent_thread_lock=True, **page.LAUNCH | page.guarded(host)
        )
    except (OSError, OverflowError):
        raise UserError(f"port {port} of {host} cannot be had: type --port=N with another") from None
    print(f"explorer: http://{host}:{port}  (Ctrl-C ends it)", flush=True)
    explorer.block_thread()
