"""The two commands: compose the config, run the task in its own folder, turn a user's mistake into one sentence.

torch is imported only once the config stands, so that `--help` and a typing error answer at once.
"""

import hashlib
import os
import re
import secrets
import sys
import time
from importlib import import_module
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dgn import mistakes
from dgn.errors import UserError
from dgn.files import claim

CONF = Path(__file__).parent.parent / "conf"
TASKS = {"train": "dgn.training.tasks", "synthesize": "dgn.synthesis.run"}


def main(command: str) -> None:
    """Run `train` or `synthesize` on the words of the command line.

    Exit codes: 0 done, 1 a mistake or a failed sweep point, 130 after Ctrl-C, 143 after SIGTERM.
    """
    register_resolvers()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises, and what it raises is put into words here
    sys.argv[1:] = words(command, sys.argv[1:])
    failed: list[str] = []

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name=command)
    def job(config: DictConfig) -> None:
        try:
            run(command, config)
        except (UserError, OmegaConfBaseException) as error:  # the other points of a sweep go on
            failed.append(f"{_point()}{mistakes.sentence(error, command, sys.argv[1:])}")
            print(f"error: {failed[-1]}", file=sys.stderr)

    try:
        job()
    except (HydraException, OmegaConfBaseException) as error:
        print(f"error: {mistakes.sentence(error, command, sys.argv[1:])}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)
    if len(failed) > 1:
        print(f"error: {len(failed)} points of the sweep failed, see above", file=sys.stderr)
    if failed:
        sys.exit(1)


def run(command: str, config: DictConfig) -> None:
    """One job: check what Hydra does not, take the folder, call the task."""
    mistakes.check(config, HydraConfig.get().runtime.choices)
    output = Path(HydraConfig.get().runtime.output_dir)
    with claim(output, config.resume):
        import_module(TASKS[command]).run(config, output)


def words(command: str, typed: list[str]) -> list[str]:
    """The command line as Hydra takes it.

    `synthesize.py` without a word runs the demo. `debug=true` names the group member conf/debug/COMMAND.yaml, because
    Hydra takes no true or false as a member's name.
    """
    if command == "synthesize" and not typed:
        return ["experiment=demo"]
    debug = {"debug=true": f"debug={command}", "debug=false": "debug=off"}
    return [debug.get(word.lower(), word) for word in typed]


def register_resolvers() -> None:
    """`${unique:}`: a name no other run has, one a process. `${point:TEXT}`: a sweep point's overrides as a folder."""
    stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    OmegaConf.register_new_resolver("unique", lambda: stamp, replace=True)
    OmegaConf.register_new_resolver("point", point, replace=True)


def point(overrides: str) -> str:
    """A sweep point's overrides as a folder's name: readable, safe on any file system, at most 90 characters."""
    digest = hashlib.sha256(overrides.encode()).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9=._+-]+", "_", overrides)[:80].strip("_.")
    return f"{readable}-{digest}" if readable else digest


def _point() -> str:
    """The sweep point that runs now, to begin a message with; nothing in a single run."""
    config = HydraConfig.get()
    if config.mode is None or config.mode.name != "MULTIRUN":
        return ""
    return f"point {config.job.num} ({config.job.override_dirname}): "
