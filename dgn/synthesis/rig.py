"""The task of `dgn search`: a search whose scores come from a function, or through a folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.utils import get_object

from dgn import settings
from dgn.base.errors import UserError, first_line
from dgn.base.instantiate import instantiate
from dgn.synthesis.exchange import Exchange
from dgn.synthesis.search import Search
from dgn.synthesis.settings import SearchSettings


def run(config: SearchSettings) -> None:
    """Search with the score that the settings name, until the last generation; the folder has a page."""
    score = _score(config.score)
    search = opened(config)
    if search.generation:
        search.page()
    if not search.done:
        print(f"{config.ascent.steps} generations of {len(search.ask())} pictures, from generation "
              f"{search.generation + 1} on; after each, {search.folder / 'index.html'} shows it",
              flush=True)  # fmt: skip
    while not search.done:
        pictures = search.ask()
        if isinstance(score, Exchange):
            score.folder, score.number = search.folder, search.generation
        try:
            measured = score(pictures)
        except Exception as error:  # a rig may raise anything
            raise UserError(f"the score failed in generation {search.generation + 1} ({first_line(error)}): what was "
                            "measured is kept, so correct it and set resume=true") from error  # fmt: skip
        search.tell(measured)
        search.page()
        mean = ", ".join(f"{value:.3g}" for value in search.curve[-1].tolist())
        print(f"generation {search.generation} of {config.ascent.steps}: mean score {mean}", flush=True)


def opened(config: SearchSettings) -> Search:
    """The search of these settings: a new one, or with `resume` the one in `output`, which the same settings began.

    Raises UserError for other settings.
    """
    folder = Path(config.output).expanduser()
    if not config.resume or not (folder / "config.yaml").exists():
        return Search.begin(config)
    search = Search.resume(folder)
    now, before = (settings.counted(one.plain()) for one in (config, search.config))
    for key in sorted(now.keys() | before.keys()):
        if key.partition(".")[0] != "score" and now.get(key) != before.get(key):
            raise UserError(f"cannot resume {folder}: {key} was {before.get(key)} and is now {now.get(key)}; set "
                            "another output=DIR")  # fmt: skip
    return search


def _score(node: Mapping[str, Any]) -> Any:
    """The function of pictures: a function, with what else stands beside it, or an object of a class."""
    made = get_object(node["_target_"])
    return instantiate(node) if isinstance(made, type) else instantiate({**node, "_partial_": True})
