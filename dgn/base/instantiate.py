"""Objects from the `_target_` nodes of a config."""

from functools import partial

import hydra.utils

# Without `_convert_` a class gets OmegaConf's own lists and dictionaries: torch keeps an optimiser's `betas` as they
# are, and cannot read them again from its checkpoint.
instantiate = partial(hydra.utils.instantiate, _convert_="all")
