"""Objects from the `_target_` nodes of a config."""

from functools import partial

import hydra.utils

# Without `_convert_` a class receives OmegaConf's lists and dictionaries: torch would store an optimiser's `betas` in
# that form and could not load its own checkpoint.
instantiate = partial(hydra.utils.instantiate, _convert_="all")
