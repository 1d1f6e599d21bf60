"""A sweep on disk: one folder per point, with its settings and its state.

`point.json` holds the point's overrides and whether it is finished, `failed.txt` why it failed. Hydra's
`multirun.yaml` holds the overrides of the sweep, which give the points that never started.
"""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from dgn import settings
from dgn.base import hub, ranks
from dgn.base.errors import UserError
from dgn.base.files import held, sha256, write_text

RECORD, FAILED = "point.json", "failed.txt"


@dataclass(frozen=True)
class Point:
    """One point of a sweep.

    Attributes:
        words: what the command line said of it, KEY=VALUE each.
        folder: None where it never started.
        state: "finished", "failed", "running", "stopped" or "not started".
        reason: of a failure, one sentence.
        current: whether the last sweep in this folder asked for it, as far as that is known.
    """

    words: tuple[str, ...]
    folder: Path | None
    state: str
    reason: str
    current: bool


def read(sweep: Path) -> list[Point]:
    """The points of a sweep's folder in the order of its words, then those that only earlier sweeps asked for.

    UserError if it is not the folder of a sweep.
    """
    asked = planned(sweep)
    by_words: dict[tuple[str, ...], Point] = {}
    others = []
    for path in sorted(sweep.glob(f"*/{RECORD}")):
        record = json.loads(path.read_text(encoding="utf-8"))
        typed = [tuple(words) for words in record["typed"]]
        now = [words for words in typed if words in asked]
        state, reason = _state(path.parent, record["finished"])
        point = Point((now or typed)[-1], path.parent, state, reason, current=bool(now) or not asked)
        by_words |= dict.fromkeys(now, point)
        if not now:
            others.append(point)
    points = [by_words.get(words) or Point(words, None, "not started", "", current=True) for words in asked]
    if not points and not others:
        raise UserError(f"{sweep} is not the folder of a sweep: give the output=DIR of a command with -m")
    return list(dict.fromkeys(points)) + others


def is_sweep(folder: Path) -> bool:
    """Whether a folder is that of a sweep: shards that were merged into it have made a run of it."""
    if (folder / "config.yaml").exists():
        return False
    return (folder / "multirun.yaml").exists() or any(folder.glob(f"*/{RECORD}"))


def _state(folder: Path, finished: bool) -> tuple[str, str]:
    if held(folder):
        return "running", ""
    failed = folder / FAILED
    if failed.exists():
        return "failed", failed.read_text(encoding="utf-8").partition("\n")[0]
    return ("finished" if finished else "stopped"), ""


def planned(sweep: Path) -> list[tuple[str, ...]]:
    """The words of every point that the last sweep in a folder asked for."""
    path = sweep / "multirun.yaml"
    if not path.exists():
        return []
    return combinations(list(OmegaConf.load(path).hydra.overrides.task))


def combinations(typed: Sequence[str]) -> list[tuple[str, ...]]:
    """The words of every point of a sweep, in Hydra's order and spelling."""
    choices: dict[str, list[str]] = {}
    for override in settings.overrides(typed):
        swept = override.is_sweep_override()
        values = list(override.sweep_string_iterator()) if swept else [override.get_value_element_as_str()]
        choices[override.get_key_element()] = values
    return [tuple(f"{key}={value}" for key, value in zip(choices, values, strict=True))
            for values in itertools.product(*choices.values())]  # fmt: skip


def begin(folder: Path, words: Sequence[str]) -> bool:
    """Note that a point starts; False where it is finished and nothing is left to do.

    Of several processes the first one notes it, and the others only read. UserError if it is finished with weights
    that have changed since.
    """
    path = folder / RECORD
    record: dict[str, Any] = {"typed": [], "finished": False}
    if path.exists():
        record = json.loads(path.read_text(encoding="utf-8"))
    if ranks.first():
        record["typed"] = [typed for typed in record["typed"] if typed != list(words)] + [list(words)]
        write_text(path, json.dumps(record))
        (folder / FAILED).unlink(missing_ok=True)
    if record["finished"]:
        _same_weights(folder)
    return not record["finished"]


def finish(folder: Path) -> None:
    """Note that a point is finished."""
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    write_text(folder / RECORD, json.dumps(record | {"finished": True}))
    (folder / FAILED).unlink(missing_ok=True)


def fail(folder: Path, reason: str) -> None:
    """Note why a point is not finished: one sentence, and below it what else is known.

    Any of its processes may; the first reason stands, because those that wait for the others fail by that.
    """
    if not (folder / FAILED).exists():
        write_text(folder / FAILED, reason + "\n")


def _same_weights(folder: Path) -> None:
    manifest = folder / "manifest.json"
    about = json.loads(manifest.read_text(encoding="utf-8")) if manifest.exists() else {}
    for name, path in about.get("files", {}).items():
        if (file := _file(path)) and sha256(file) != about["weights"][name]:
            raise UserError(
                f"{path} has changed since it was used for {folder}: set another output=DIR for a new sweep"
            )


def _file(path: str) -> Path | None:
    """The file of a path or of a name on the hub; None where it is gone, or cannot be had now."""
    if not hub.is_name(path):
        return Path(path) if Path(path).is_file() else None
    try:
        return hub.fetch(path)
    except UserError:
        return None
