"""`python -m dgn.data prepare SRC DST` shrinks a data set once; `python -m dgn.data bench` measures the loader."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dgn import config as settings
from dgn import mistakes
from dgn.base.errors import UserError
from dgn.config import CONF


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose complaint is one sentence."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}: see {self.prog} --help")


def parser() -> Parser:
    """The two commands and what they take."""
    found = Parser(prog="python -m dgn.data", description=__doc__)
    commands = found.add_subparsers(dest="command", required=True, parser_class=Parser)
    kind: Any = argparse.RawDescriptionHelpFormatter
    prepare = commands.add_parser(
        "prepare",
        formatter_class=kind,
        help="shrink a data set once",
        description="Write the images of SRC to DST in the same folders, shrunk, as JPEG, and its .txt and .csv files "
        "as they\nare. The same line goes on where it was stopped.",
        epilog=(CONF / "prepare.yaml").read_text(),
    )
    prepare.add_argument("source", metavar="SRC", type=Path, help="a folder of images, in any layout")
    prepare.add_argument("target", metavar="DST", type=Path, help="the folder to write")
    prepare.add_argument("words", metavar="KEY=VALUE", nargs="*", default=[])
    bench = commands.add_parser(
        "bench",
        help="measure the loader",
        description="Print how many images a second the loader reaches by itself, on the words of train.py.",
        epilog="python -m dgn.data bench data=imagenet data.root=DIR data.workers=4",
    )
    bench.add_argument("words", metavar="KEY=VALUE", nargs="*", default=[])
    return found


def composed(command: str, words: Sequence[str]) -> DictConfig:
    """The config of conf/`command`.yaml with these words, checked."""
    settings.register_resolvers()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        config = compose(command, overrides=settings.words(command, list(words)), return_hydra_config=True)
        choices = config.hydra.runtime.choices
        OmegaConf.set_struct(config, False)
        for part in ("hydra", "logger"):  # both want a run's folder, and this is no run
            config.pop(part, None)
        mistakes.check(config, choices, command)
    return config


def run(typed: argparse.Namespace, config: DictConfig) -> None:
    """One command; torch is loaded only now."""
    if typed.command == "bench":
        from dgn.data.bench import bench

        for line in bench(config):
            print(line, flush=True)
    else:
        from dgn.data.prepare import prepare

        prepare(typed.source.expanduser(), typed.target.expanduser(), **settings.plain(config))


def main(words: Sequence[str]) -> None:
    """Exit codes: 0 done, 1 a mistake, 130 after Ctrl-C, 143 after SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    command = "train"
    try:
        typed = parser().parse_args(words)
        command = "train" if typed.command == "bench" else typed.command
        run(typed, composed(command, typed.words))
    except (UserError, HydraException, OmegaConfBaseException) as error:
        if not mistakes.meant_for_the_user(error):
            raise
        sys.exit(f"error: {mistakes.sentence(error, command, words)}")
    except OSError as error:  # a full disk, a folder that may not be read
        sys.exit(f"error: {error}: the same line goes on once that is mended")
    except KeyboardInterrupt:
        print("stopped: the same line goes on", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main(sys.argv[1:])
