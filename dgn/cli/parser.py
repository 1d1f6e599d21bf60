"""The option parser of the commands that do not use Hydra's."""

import argparse
from typing import NoReturn

from dgn.base.errors import UserError


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises UserError for a mistake."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")
