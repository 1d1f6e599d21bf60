"""The option parser of the commands that do not use Hydra's."""

import argparse
import re
from typing import NoReturn

from dgn.base.errors import UserError


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises UserError for a mistake."""

    def error(self, message: str) -> NoReturn:
        if match := re.match(r"argument \S+: invalid choice: '(.*)' \(choose from '?(\w+)", message):
            raise UserError(f"{self.prog} has no {match[1]!r}: write {self.prog} {match[2]} {match[1]}, or see "
                            f"{self.prog} --help")  # fmt: skip
        raise UserError(f"{message}; see {self.prog} --help")
