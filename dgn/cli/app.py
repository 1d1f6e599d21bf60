"""`dgn app [KEY=VALUE …]`: serve the explorer on a port of this machine until Ctrl-C.

torch and gradio are imported only when needed, so `--help` is fast.
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
        raise UserError("the explorer needs gradio: install it by pip install 'dgn[app]'")
    os.environ |= OFFLINE
    serve(asked.words, asked.host, asked.port, asked.runs)


def parser() -> Parser:
    """The options of the command."""
    options = Parser(
        prog="dgn app",
        description="Serve a page on which you choose a unit and watch its picture form.",
    )
    options.add_argument("words", nargs="*", metavar="KEY=VALUE", help="settings of dgn synthesize that the page "
                        "starts from: bundle=FILE, prior=none, target._target_=my_pkg.MyNet")  # fmt: skip
    options.add_argument("--host", default="127.0.0.1", help="address to listen on; default: this machine only")
    options.add_argument("--port", type=int, default=7860, help="port to listen on; default: %(default)s")
    options.add_argument("--runs", type=Path, default=Path("runs"), help="folder of kept runs; default: %(default)s")
    return options


def serve(words: list[str], host: str, port: int, runs: Path) -> None:
    """Build the page and serve it until Ctrl-C."""
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
        raise UserError(f"cannot listen on port {port} of {host}: choose another with --port=N") from None
    print(f"explorer: http://{host}:{port}  (stop with Ctrl-C)", flush=True)
    explorer.block_thread()
