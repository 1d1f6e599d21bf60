"""The two-alternative task for people: a page that needs nothing else, its key, and the scoring of what it saves.

`dgn measure RUN sheet=DIR` writes `DIR/sheet-NUMBER.html`, which may be handed out, and keeps its key in the run's own
folder.
The page saves a file of answers; `dgn measure RUN answers=FILE` scores it against the key of the same number.
"""

import base64
import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from PIL import Image
from pydantic import Field, ValidationError
from torch import Tensor

from dgn.base import images
from dgn.base.errors import UserError
from dgn.base.files import read_text, write_text
from dgn.base.typed import Settings
from dgn.measures.found import Found, Numbers, Unmeasured
from dgn.measures.subject import Subject
from dgn.measures.trials import Trials, percentiles
from dgn.report.page import template

KINDS = ("natural", "synthetic")
Place = Literal[0, 1]
Kind = TypeVar("Kind", bound=Settings)


class Question(Settings):
    """What the key knows of one question: its unit, the kind of its references, which of the two images is right."""

    unit: str
    kind: Literal["natural", "synthetic"]
    right: Place


class Key(Settings):
    """The right answers of a sheet, and the percentiles that its queries were drawn from."""

    sheet: str
    percentiles: str
    questions: list[Question]


class Answers(Settings):
    """What the page saves: which image was chosen, null where none was, and how long each answer took, in seconds."""

    sheet: str
    answers: list[Place | None]
    seconds: list[Annotated[float, Field(ge=0)] | None]


def write(made: Sequence[Trials], subject: Subject, folder: str) -> Path:
    """Write the page into a folder, and its key into that of the run. Gives the page's path.

    One question a unit, in an order and with references of a kind, natural or synthetic, that the seed draws: who has
    seen a unit's natural references cannot forget them for its synthetic ones. Another seed gives another sheet.
    """
    seed = subject.settings.two_alternative.seed
    random = np.random.default_rng(seed)
    shown, questions = [], []
    kinds = random.permutation([KINDS[i % 2] for i in range(len(made))])
    for i in random.permutation(len(made)):
        trial, kind, right = made[i], str(kinds[i]), int(random.integers(2))
        references = trial.natural if kind == "natural" else trial.synthetic
        pair = trial.queries[0].flip(0) if right else trial.queries[0]
        shown.append({"above": inline(references.above), "below": inline(references.below), "queries": inline(pair)})
        questions.append({"unit": trial.unit, "kind": kind, "right": right})
    number = hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:12]
    page = template("sheet.html.j2").render(data={"sheet": number, "questions": shown})
    key = {"sheet": number, "percentiles": percentiles(subject.settings.two_alternative), "questions": questions}
    write_text(key_path(subject, number), json.dumps(key, indent=1))
    path = Path(folder).expanduser() / f"sheet-{number}.html"
    write_text(path, page)
    print(f"sheet: {path.resolve()}, {len(shown)} questions; its key stays in {subject.run.name}")
    return path


def people(subject: Subject) -> list[Found]:
    """The share of people's right answers, by the kind of references; nothing if `answers` is not set.

    UserError for a file that is not one of answers, or of a sheet whose key the run does not have.
    """
    if subject.settings.answers is None:
        return []
    answered: dict[str, list[tuple[str, float]]] = {}
    files = answer_files(subject.settings.answers)
    for path in files:
        given = read(path, Answers, "a file of answers")
        key = read(key_path(subject, given.sheet), Key, "a sheet's key")
        if len(given.answers) != len(key.questions):
            raise UserError(
                f"{path} has {len(given.answers)} answers to {len(key.questions)} questions: choose another"
            )
        for answer, question in zip(given.answers, key.questions, strict=True):
            if answer is not None:
                which = answered.setdefault(f"{question.kind}/{key.percentiles}", [])
                which.append((question.unit, float(answer == question.right)))
    if not answered:
        return [Unmeasured("two_alternative/people", "no question was answered")]
    note = f"{len(files)} files of answers"
    return [
        Numbers(
            f"two_alternative/people/{which}", [right for _, right in those], [unit for unit, _ in those], True, note
        )
        for which, those in sorted(answered.items())
    ]


def key_path(subject: Subject, number: str) -> Path:
    """Where the key of a sheet is; UserError where the number is none."""
    if not number.isalnum():
        raise UserError(f"{number!r} is not the number of a sheet: choose another file of answers")
    return subject.run.folder / f"sheet-{number}.key.json"


def answer_files(place: str) -> list[Path]:
    """One file, or those in a folder."""
    path = Path(place).expanduser()
    found = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not found:
        raise UserError(f"there are no answers (*.json) in {path}: set answers to a file that the page saved")
    return found


def read(path: Path, kind: type[Kind], what: str) -> Kind:
    """A JSON file as one of the classes here; UserError for one that is not."""
    if not path.is_file():
        raise UserError(f"there is no {what} {path}: measure the run that the sheet was made from")
    try:
        return kind.model_validate_json(read_text(path))
    except ValidationError as error:
        reason = error.errors()[0]
        place = ".".join(map(str, reason["loc"])) or "the whole"
        raise UserError(f"{path} is not {what} ({place}: {reason['msg']}): choose another") from None


def inline(pictures: Tensor) -> list[Any]:
    """Pictures (N, C, H, W) in [0, 1] as data: URIs; nothing but pixels is in them."""
    uris = []
    for picture in pictures:
        pixels, file = images.shown(picture), io.BytesIO()
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, format="PNG", optimize=True)
        uris.append("data:image/png;base64," + base64.b64encode(file.getvalue()).decode())
    return uris
