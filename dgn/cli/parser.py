"""Command-line options of the commands that are not Hydra's."""

import argparse
from typing import NoReturn

from dgn.base.errors import UserError


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose complaint is one sentence."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}: see {self.prog} --help")
