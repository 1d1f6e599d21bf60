"""Search for the pictures that drive neurons most, from measured responses alone: ask, show, tell, again and again."""

import math
import sys
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file
from torch import Tensor

from dgn import settings
from dgn.base import tensors
from dgn.base.errors import UserError, first_line
from dgn.base.files import write_text
from dgn.base.instantiate import instantiate
from dgn.base.typed import validated
from dgn.generators.bundle import Bundle
from dgn.settings.check import check
from dgn.settings.keywords import configured
from dgn.synthesis import evolution, provenance, search_page, shown
from dgn.synthesis.load import load_prior
from dgn.synthesis.settings import SearchSettings


class Search:
    """A search in a folder of its own, which a crash does not lose.

        search = dgn.Search("caffenet64-fc6", units=1, population=40, output="cell12")
        while not search.done:
            search.tell(rig(search.ask()))
            search.page()  # cell12/index.html
        pictures, scores = search.best()

    Every generation is saved as soon as it is told, and `Search.resume(folder)` goes on after the last one: on the same
    machine to the bit, because what was asked is drawn again. A generation that was asked and not told is asked again.

    Args:
        bundle: the generator: a shipped bundle by name, a file, or an object from `dgn.load_bundle` or `dgn.decoder`.
        words: command-line settings, such as "stimulus=[contrast,aperture]".
        output: a new folder.
        units: how many neurons are searched for at a time, each with pictures of its own.
        population: pictures a generation and unit; None for that of the ascent.
        settings: any key of conf/search.yaml, nested or dotted: ascent={"steps": 50}, prior="box", seed=1.

    Attributes:
        config: the settings.
        generation: how many were told.

    Raises UserError, one sentence, for a mistake in the request, and where `output` holds a search already.
    """

    def __init__(
        self,
        bundle: Bundle | str = "caffenet64-fc6",
        /,
        *words: str,
        output: Path | str,
        units: int = 1,
        population: int | None = None,
        **settings: Any,
    ) -> None:
        keywords: dict[str, Any] = {"output": str(output), "units": units, **settings}
        keywords |= {} if population is None else {"ascent.optimiser.population": population}
        keywords |= {} if isinstance(bundle, Bundle) else {"bundle": str(bundle)}
        config = check(configured("search", list(words), [keywords]), SearchSettings)
        self._begin(config, bundle if isinstance(bundle, Bundle) else None, new=True)

    @classmethod
    def begin(cls, config: SearchSettings) -> "Search":
        """The search that checked settings describe; UserError where their `output` holds one already."""
        search = cls.__new__(cls)
        search._begin(config, None, new=True)
        return search

    @classmethod
    def resume(cls, folder: Path | str, bundle: Bundle | None = None) -> "Search":
        """Go on with the search in a folder.

        Args:
            folder: the search's `output`.
            bundle: the same object as at the beginning, if it was one.

        Raises UserError if there is none, or its generator has changed.
        """
        values = settings.read(Path(folder).expanduser())
        if values is None:
            raise UserError(f"{folder} holds no search: give the output of an earlier one")
        config = validated(SearchSettings, values | {"output": str(folder)})
        search = cls.__new__(cls)
        search._begin(config, bundle, new=False)
        return search

    def _begin(self, config: SearchSettings, prior: Bundle | None, new: bool) -> None:
        """Load what the settings name, write them, and draw the first generation, or again all that were told."""
        self.config, self.folder = config, Path(config.output).expanduser()
        prior = load_prior(config) if prior is None else prior
        limits = instantiate(config.prior, prior.moments)
        limits.fits(prior)
        ascent = config.ascent
        unit = prior.moments.scale if ascent.units == "std" else 1.0
        self._steps = [
            unit * (ascent.step + (ascent.end - ascent.step) * i / ascent.steps) for i in range(ascent.steps)
        ]
        seeds = [config.seed + u for u in range(config.units)]
        optimiser, codes = instantiate(ascent.optimiser), instantiate(config.start)(prior, seeds, ascent.noise * unit)
        if evolution.sampler(optimiser) is None:
            raise UserError("this ascent needs a gradient, and a measured response has none: set ascent=cma")
        evolution.check(optimiser, limits, codes[0])
        self._generator = shown.shown(prior, config.stimulus).generator
        self._samplers = [
            optimiser(code.float(), seed, limits.apply_to) for code, seed in zip(codes, seeds, strict=True)
        ]
        self._how = provenance.searched(config, prior)
        self.generation, self._scores = 0, list[Tensor]()
        self._highest = torch.full((config.units,), -math.inf, dtype=torch.float64)
        self._best = codes.float().clone()
        made_by = provenance.digest([*self._generator.state_dict().values(), prior.moments.mean, prior.moments.std])
        self._write(made_by) if new else self._replay(made_by)
        self._draw()

    @property
    def done(self) -> bool:
        """Whether all generations were told."""
        return self.generation == len(self._steps)

    @torch.no_grad()
    def ask(self) -> Tensor:
        """The pictures to show now, (units · population, C, H, W) in [0, 1], those of the first unit first.

        The same ones until they are told. UserError after the last generation.
        """
        if self.done:
            raise UserError(f"the search has made its {self.generation} generations: begin another one with more, "
                            "ascent.steps=…")  # fmt: skip
        return torch.cat([self._pictures(codes) for codes in self._asked])

    def tell(self, scores: Any) -> None:
        """Take the responses to the pictures that were asked, and save the generation.

        Args:
            scores: (units · population,) numbers, the more the better, or (units · population, repeats) measurements,
                which are averaged. NaN where there is none: that picture is left out.

        UserError for another shape, an infinite score, or too few scores of a unit; then nothing has changed.
        """
        means = self._means(scores)
        apart = means.view(self.config.units, -1)
        self._check(apart)
        if missing := int(means.isnan().sum()):
            print(f"note: {missing} of {len(means)} pictures have no score and are left out", file=sys.stderr)
        path = self._path(self.generation)
        if path.exists():
            raise UserError(f"another search has written {path}: stop one of the two, then resume")
        tensors.save(path, {"codes": torch.stack(self._asked), "scores": apart}, {})
        self._take(self._asked, apart)
        self._draw()

    def best(self) -> tuple[Tensor, Tensor]:
        """Of each unit the picture with the highest score so far, (units, C, H, W), and that score, (units,).

        Of noisy responses the highest is high by chance too: show it again, or show `centre`.
        """
        return self._pictures(self._best), self._highest.clone()

    def centre(self) -> Tensor:
        """Of each unit the picture of the code around which it draws, (units, C, H, W): no single score decides it."""
        return self._pictures(torch.stack([one.centre for one in self._samplers]))

    @property
    def scores(self) -> Tensor:
        """(generations, units, population) all that was told, NaN where there was no score."""
        empty = torch.empty(0, self.config.units, self._samplers[0].population, dtype=torch.float64)
        return torch.stack(self._scores) if self._scores else empty

    @property
    def curve(self) -> Tensor:
        """(generations, units) the mean score of every generation told."""
        return self.scores.nanmean(2)

    def last(self) -> Tensor:
        """The pictures of the last generation told, (units · population, C, H, W); UserError before the first."""
        if not self.generation:
            raise UserError("no generation was told yet: tell the scores of the first one")
        return torch.cat([self._pictures(codes) for codes in self._told])

    def page(self) -> Path:
        """Write what is known now into the folder: `index.html`, of each unit `best-N.png` and `centre-N.png`, and
        `curve.csv`. Returns the page; UserError before the first generation was told."""
        return search_page.write(self, self._how)

    @torch.no_grad()
    def _pictures(self, codes: Tensor) -> Tensor:
        return self._generator(codes).float().clamp(0, 1)

    def _draw(self) -> None:
        if not self.done:
            step = self._steps[self.generation]
            self._asked = [one.ask(step) for one in self._samplers]

    def _means(self, scores: Any) -> Tensor:
        """(units · population,) float64, the mean over repeats; NaN where there is no measurement."""
        try:
            values = torch.as_tensor(scores, dtype=torch.float64).detach().cpu()
        except (TypeError, ValueError, RuntimeError) as error:
            raise UserError(f"the scores are not an array of numbers ({first_line(error)}): give one for each "
                            "picture, NaN where there is none") from None  # fmt: skip
        count = sum(len(codes) for codes in self._asked)
        if values.ndim not in {1, 2} or len(values) != count or not values.numel():
            raise UserError(f"the scores have the shape {tuple(values.shape)}: give ({count},), one for each picture, "
                            f"or ({count}, repeats)")  # fmt: skip
        if values.isinf().any():
            raise UserError("a score is infinite: give a finite number, or NaN to leave its picture out")
        return values if values.ndim == 1 else values.nanmean(1)

    def _check(self, scores: Tensor) -> None:
        """UserError if the search has ended, or too few pictures of a unit have a score."""
        if self.done:
            raise UserError(f"the search has made its {self.generation} generations: there is nothing to tell")
        for unit, (one, row) in enumerate(zip(self._samplers, scores, strict=True)):
            if (there := int(row.isfinite().sum())) < one.fewest:
                raise UserError(f"{there} of {one.population} pictures of unit {unit} have a score, and {one.fewest} "
                                "are needed: show the others again, then tell all")  # fmt: skip

    def _take(self, asked: Any, scores: Tensor) -> None:
        """Move every unit's sampler by the codes (units, population, …) that have a score (units, population)."""
        for unit, (codes, row) in enumerate(zip(asked, scores, strict=True)):
            there = row.isfinite()
            self._samplers[unit].tell(codes[there], row[there])
            place = row.nan_to_num(-math.inf).argmax()
            if row[place] > self._highest[unit]:
                self._highest[unit], self._best[unit] = row[place], codes[place]
        self._told = asked
        self._scores.append(scores)
        self.generation += 1

    def _path(self, generation: int) -> Path:
        return self.folder / "generations" / f"{generation:06d}.safetensors"

    def _write(self, made_by: str) -> None:
        if (self.folder / "config.yaml").exists():
            raise UserError(f"{self.folder} already holds a run: continue a search by resume=true, in Python by "
                            "dgn.Search.resume(folder), or set another output")  # fmt: skip
        text = OmegaConf.to_yaml(OmegaConf.create(self.config.plain()))
        write_text(self.folder / "generator.sha256", made_by + "\n")
        write_text(self.folder / "config.yaml", "# again: dgn search resume=true with the same settings\n" + text)

    def _replay(self, made_by: str) -> None:
        """Draw and take again what was told, as it was saved."""
        if (self.folder / "generator.sha256").read_text().strip() != made_by:
            raise UserError(f"cannot resume {self.folder}: its generator has changed; set another output=DIR")
        differs = False
        while self._path(self.generation).exists():
            kept = load_file(self._path(self.generation))
            self._draw()
            differs |= not torch.equal(torch.stack(self._asked), kept["codes"])
            self._take(kept["codes"], kept["scores"])
        if differs:
            print("note: this machine draws other codes than the one on which the search began; it goes on from what "
                  "was measured, not to the bit", file=sys.stderr)  # fmt: skip
