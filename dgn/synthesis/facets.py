"""Facets: the faces of a unit, each a cluster of the real images that fire it most (multifaceted feature visualisation,
Nguyen, Yosinski & Clune 2016; here the clusters are of codes)."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from scipy.cluster.vq import kmeans2
from torch import Tensor

from dgn import data
from dgn.base import images, lightning
from dgn.base.files import write_text
from dgn.base.typed import Count, Positive, validated
from dgn.data import DataModule
from dgn.data.settings import DataSettings
from dgn.evaluation.candidates import inverted_by
from dgn.evaluation.dataset_examples import UNCHANGED, Best, as_seen
from dgn.generators.bundle import Bundle
from dgn.networks import zoo
from dgn.networks.settings import NetworkSettings
from dgn.synthesis.initial_code import Noise, RealCode
from dgn.units.score_table import ScoreTable
from dgn.units.target import Target
from dgn.units.terms import Unit

TOGETHER = 16  # codes that are drawn at a time
SHARE = 4  # so many codes are scored for each that is clustered, at least: the best of few are not good


@dataclass(frozen=True)
class Face:
    """One cluster of real codes of a unit.

    Attributes:
        code: the mean, (*code_shape).
        places: of its members among all codes, the nearest to the mean first.
        scores: of the unit, theirs.
    """

    code: Tensor
    places: list[int]
    scores: list[float]


class Facets:
    """The mean code of one face of each row's unit, plus the ascent's noise: seed s starts from face s modulo `count`.

    The codes are those of training images with `data.root`, which need no labels; otherwise the few that the bundle
    carries, each with the score of the picture that G makes of it.

    Args:
        count: faces of a unit; fewer where fewer codes are found.
        best: real codes of a unit that are clustered, those with the highest scores; at most a quarter of all.
        apart: how far the means lie from the mean of all clustered codes, as a multiple of how far they do; above 1
            the faces are exaggerated.
        among: images that are scored, spread evenly.
        data: settings of the images.
        encoder: settings of the network that the bundle's generator inverts; unused without `data.root`.

    Attributes:
        known: further networks that G may invert, the run's target.
    """

    def __init__(
        self,
        count: Count,
        best: Count,
        apart: Positive,
        among: Count,
        data: Mapping[str, Any],
        encoder: Mapping[str, Any],
    ) -> None:
        self.count, self.best, self.apart, self.among = count, best, apart, among
        self.data = validated(DataSettings, data, "data.")
        self.encoder = validated(NetworkSettings, encoder, "start.encoder.")
        self.known: Sequence[NetworkSettings] = ()
        self._target: Target | None = None
        self._units: Sequence[Unit] = ()
        self._faces: dict[str, list[Face]] = {}
        self._module: DataModule | None = None

    def describe(self) -> str:
        """What the search starts from, for the page."""
        few = "" if self.data.root else ", among the few in the generator's file"
        if self.best <= self.count:
            return f"the code of one of the {self.best} real images that fire the unit most{few}"
        return f"the mean code of one of {self.count} clusters of the real codes that fire the unit most{few}"

    def for_units(self, target: Target, units: Sequence[Unit]) -> "Facets":
        """The same for rows of these units of a target; its faces are kept from one batch to the next."""
        self._target, self._units = target, units
        return self

    def __call__(self, bundle: Bundle, seeds: Sequence[int], noise: float) -> Tensor:
        spread = Noise()(bundle, seeds, noise)
        if self._target is None:  # a trial before the target is known
            if self.data.root:
                inverted_by(bundle, self.encoder, self.known, "start.encoder")
            else:
                RealCode()(bundle, seeds, noise)  # refuses a bundle without codes
            return bundle.moments.mean + torch.stack([torch.full_like(bundle.moments.mean, seed) for seed in seeds])
        every = self.faces(bundle, self._target)
        of = [every[unit.text] for unit in self._units]
        return torch.stack([faces[seed % len(faces)].code for faces, seed in zip(of, seeds, strict=True)]) + spread

    @torch.no_grad()
    def faces(self, bundle: Bundle, target: Target) -> dict[str, list[Face]]:
        """The faces of every unit of the target, by its text, the largest first; found once."""
        if not self._faces:
            scores, places, codes = (
                self._of_images(bundle, target) if self.data.root else self._of_bundle(bundle, target)
            )
            for unit, score, place in zip(target.units, scores.T, places.T, strict=True):
                own = torch.stack([codes[i] for i in place.tolist()])
                found = clusters(own, place.tolist(), score.tolist(), bundle.moments.std, self.count)
                middle = own.mean(0)
                moved = [replace(face, code=middle + self.apart * (face.code - middle)) for face in found]
                self._faces[unit.text] = moved
        return self._faces

    def add_images(self, bundle: Bundle, target: Target, chosen: Mapping[int, Unit], most: int, output: Path) -> None:
        """Add to a run's real images, `real.csv`, at most `most` of each face, with its number as `facet`.

        `chosen` has the units by their place among all of the run.
        """
        source, text = self._images(target).train, io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        for u, unit in chosen.items():
            for number, face in enumerate(self.faces(bundle, target)[unit.text]):
                for n, (place, score) in enumerate(zip(face.places[:most], face.scores, strict=False)):
                    image = f"real/{u:05d}-facet{number}-{n}.png"
                    images.save(output / image, source.image(place))
                    rows.writerow([unit.text, n + 1, f"{score:.6g}", source.source.name(place), image, number])
        path = output / "real.csv"
        write_text(path, path.read_text(encoding="utf-8") + text.getvalue())

    def _images(self, target: Target) -> DataModule:
        """The images of `data`, as the target sees them; their folder is read once."""
        if self._module is None:
            contract = target.features.contract
            self._module = data.build(as_seen(self.data, contract, contract.size), UNCHANGED, seed=0)
        return self._module

    def _best(self, scored: int) -> Best:
        return Best(min(self.best, max(self.count, scored // SHARE)))

    def _of_bundle(self, bundle: Bundle, target: Target) -> tuple[Tensor, Tensor, dict[int, Tensor]]:
        """Scores (n, units) and places (n, units) of the best codes of every unit, and codes by their place."""
        table, best = table_of(target), self._best(len(bundle.codes))
        for start in range(0, len(bundle.codes), TOGETHER):
            codes = bundle.codes[start : start + TOGETHER]
            best.add(table(target.features(bundle.generator(codes))), torch.arange(start, start + len(codes)))
        return *best.top(), dict(enumerate(bundle.codes))

    def _of_images(self, bundle: Bundle, target: Target) -> tuple[Tensor, Tensor, dict[int, Tensor]]:
        """The same of images."""
        module, table = self._images(target), table_of(target).to(target.device)
        best = self._best(min(self.among, len(module.train)))
        with lightning.on_device(target.device, target.features):
            for x, _, index in _bar(module.plain(self.among), "scoring real images for facets"):
                best.add(table(target.features(x.to(target.device))), index)
        scores, places = (part.cpu() for part in best.top())
        wanted = np.unique(places.numpy())
        network = inverted_by(bundle, self.encoder, self.known, "start.encoder")
        encoder = zoo.features(network, str(network.layer), activated=True, role="start.encoder")
        side = network.input.size
        size = {"sources": self.data.sources | {"size": side}, "resize": side, "crop": side}
        read = data.build(self.data.model_copy(update=size), UNCHANGED, seed=0).in_order(wanted)
        codes: dict[int, Tensor] = {}
        with lightning.on_device(target.device, encoder):
            for x, _, index in _bar(read, "encoding them"):
                codes |= zip(index.tolist(), encoder(x.to(target.device)).cpu(), strict=True)
        return scores, places, codes


def _bar(batches: Any, said: str) -> Any:
    return track(batches, said, transient=True)


def table_of(target: Target) -> ScoreTable:
    """The scores of all units of a target at once."""
    return ScoreTable(target.units, target.score(target.units).objective)


def clusters(codes: Tensor, places: list[int], scores: list[float], std: Tensor, count: int) -> list[Face]:
    """k-means of codes (N, *code_shape), in units of `std`: at most `count` faces, the largest first.

    Where there are no more codes than faces, each is one, in their order.
    """
    if len(codes) <= count:
        return [Face(code, [place], [score]) for code, place, score in zip(codes, places, scores, strict=True)]
    scaled = (codes / std.clamp_min(1e-6)).flatten(1).double().numpy()
    middles, of = kmeans2(scaled, count, minit="++", iter=50, rng=0, missing="warn")
    far = np.linalg.norm(scaled - middles[of], axis=1)
    faces = []
    for number in np.unique(of):
        members = np.flatnonzero(of == number)
        members = members[np.argsort(far[members], kind="stable")]
        faces.append(Face(codes[members].mean(0), [places[i] for i in members], [scores[i] for i in members]))
    return sorted(faces, key=lambda face: -len(face.places))
