"""Settings of conf/paper.yaml."""

import re

from pydantic import Field, field_validator

from dgn.base.errors import UserError, nearest
from dgn.base.typed import NotNegative, Settings
from dgn.paper.verdict import Claimed


class MadeSettings(Settings):
    """A network or a generator that claims need.

    Attributes:
        file: where it is, below `FOLDER`.
        line: of `dgn train`, which makes it there.
        hours: that this takes on two cores.
    """

    file: str
    line: str
    hours: NotNegative


class MeasureStep(Settings):
    """One call of `dgn measure`: some runs of the claim, the first compared with each other one."""

    runs: list[str]
    words: list[str]


class EffectSettings(Settings):
    """A row of the claim's table that decides it, and where the claim has it, see `dgn.paper.verdict`."""

    name: str
    claimed: Claimed


class ClaimSettings(Settings):
    """One claim of the paper.

    Attributes:
        claim: in our words, a sentence.
        section: of the paper, and the figure that ours stands for.
        experiment: of experiments/paper, which makes the pictures; claims may share one with its `measured`.
        needs: names among `made`.
        words: of the claim's `dgn synthesize` line, besides the experiment.
        hours: that pictures and measures take on two cores.
        measured: calls of `dgn measure` on its runs.
        analysis: "module:function" that gives further rows; null: none.
        reads: keys of the paths that the analysis reads: images, judge_weights.
        shown: the measure that the figure's bars show; null: no bars.
        effects: the rows that decide.
        changes: what scale or data may change.
        told: what was found, in plain words; null until it was measured.
        unpictured: runs that the figure leaves out, because their pictures are photographs that are not ours to show.
    """

    claim: str
    section: str
    experiment: str
    needs: list[str]
    words: list[str]
    hours: NotNegative
    measured: list[MeasureStep]
    analysis: str | None
    shown: str | None
    effects: list[EffectSettings]
    changes: str
    told: str | None
    reads: list[str] = Field(default_factory=list)
    unpictured: list[str] = Field(default_factory=list)


class PaperSettings(Settings):
    """Everything that `dgn paper` takes besides names of claims.

    Attributes:
        images, places, judge_weights: files of the user's, for {images} and so on in the lines.
        docs: folder of paper.md and its tables.
        judged, natural: words that several claims share.
    """

    images: str | None
    places: str | None
    judge_weights: str | None
    docs: str
    judged: list[str]
    natural: list[str]
    made: dict[str, MadeSettings]
    claims: dict[str, ClaimSettings]

    @field_validator("claims")
    @classmethod
    def known(cls, value: dict[str, ClaimSettings]) -> dict[str, ClaimSettings]:
        """ValueError for a name that could lead out of a folder."""
        for name in value:
            if not re.fullmatch(r"\w+", name):
                raise ValueError(f"has the name {name!r}: use letters, digits and '_'")
        return value

    def filled(self, word: str) -> str:
        """A word with {images}, {places} and {judge_weights} filled in; UserError for one that is not set."""
        for key in ("images", "places", "judge_weights"):
            if f"{{{key}}}" in word:
                if (path := getattr(self, key)) is None:
                    raise UserError(f"{key} has no value: set {key}={'FILE' if key == 'judge_weights' else 'DIR'}")
                word = word.replace(f"{{{key}}}", path)
        return word

    def first_of(self, name: str) -> str:
        """The first claim with the same runs, measures and analysis: its table and its figure are this one's, too."""
        claim = self.claims[name]
        return next(
            other
            for other, one in self.claims.items()
            if (one.experiment, one.measured, one.analysis, one.shown)
            == (claim.experiment, claim.measured, claim.analysis, claim.shown)
        )

    def chosen(self, names: list[str]) -> dict[str, ClaimSettings]:
        """The claims of these names, all for none; UserError for one that does not exist."""
        for name in names:
            if name not in self.claims:
                raise UserError(f"the paper has no claim {name!r}: {nearest(name, self.claims)}")
        return {name: claim for name, claim in self.claims.items() if not names or name in names}
