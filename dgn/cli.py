"""The two commands: compose the config, call the task, turn a user's mistake into one sentence."""

import secrets
import sys
import time
from importlib import import_module
from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from dgn.errors import UserError

CONF = Path(__file__).parent.parent / "conf"


def main(name: str, task: str) -> None:
    """Run `task` ("module:function", given the config and its output folder) on the config `name`."""
    stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    OmegaConf.register_new_resolver("unique", lambda: stamp, replace=True)

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)
    def job(config: DictConfig) -> None:
        module, function = task.split(":")
        output = Path(hydra.core.hydra_config.HydraConfig.get().runtime.output_dir)
        try:
            getattr(import_module(module), function)(config, output)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(1)

    job()
