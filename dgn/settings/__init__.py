"""From the command line to a checked config: overrides, composition by Hydra, a run's identity, its `config.yaml`."""

from dgn.base.folders import CONF
from dgn.settings.compose import Composed, composed, hydra, overrides
from dgn.settings.identity import DEVICES, FREE, counted, identity, register_resolvers
from dgn.settings.run_file import plain, read, write
from dgn.settings.words import words

__all__ = [
    "CONF",
    "DEVICES",
    "FREE",
    "Composed",
    "composed",
    "counted",
    "hydra",
    "identity",
    "overrides",
    "plain",
    "read",
    "register_resolvers",
    "words",
    "write",
]

register_resolvers()  # on import: a launcher's workers compose without going through the command line
