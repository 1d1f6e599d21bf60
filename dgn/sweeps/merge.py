"""Merge the shards of a run into one run: rows in order, one table, one page."""

import csv
import io
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from dgn import settings
from dgn.base.errors import UserError
from dgn.base.files import whole, write_text
from dgn.report import results
from dgn.report.grid import write_grid
from dgn.report.page import write_page

TENSORS = ("codes", "curves")
MOST = 1_000_000  # shards of a run


def merge(shards: Sequence[Path], output: Path) -> Path:
    """Write into `output` what the whole run would have written, and give its page.

    UserError if the folders are not all shards of one run, where one of them is missing or not finished, or where
    `output` is one of them: it would be overwritten while it is read.
    """
    if output.resolve() in [folder.resolve() for folder in shards]:
        raise UserError(f"{output} is itself one of the shards: set another --output DIR")
    configs = [_counted(folder) for folder in shards]
    for folder, config in zip(shards, configs, strict=True):
        _same(configs[0], config, f"{shards[0]} and {folder}")
    whole_run = settings.read(shards[0]) or {}
    panels = results.panels(whole_run)
    for name in panels:
        _join([folder / name for folder in shards], output / name)
    if panels:
        _write_config(whole_run, output, configs[0])
    else:
        _join(shards, output)
    return write_page([output], output, whole_run.get("title"))


def _counted(folder: Path) -> dict[str, Any]:
    """What of a shard's settings all shards of its run have alike."""
    config = settings.read(folder)
    if config is None:
        raise UserError(f"{folder} is not the folder of a run: give the folders of shard=0/N, 1/N and so on")
    return {key: value for key, value in settings.counted(config).items() if key != "shard"}


def _same(first: dict[str, Any], other: dict[str, Any], which: str) -> None:
    if key := results.difference(first, other):
        raise UserError(f"{which} are not of one run, because {key} is {first.get(key)} and {other.get(key)}: give "
                        "shards with equal settings")  # fmt: skip


def _join(shards: Sequence[Path], output: Path) -> None:
    """One run from its shards."""
    abouts = [results.about(folder) for folder in shards]
    _complete(shards, abouts)
    _write_config(settings.read(shards[0]) or {}, output, _counted(shards[0]))
    rows = sorted(
        ((row, s, i) for s, folder in enumerate(shards) for i, row in enumerate(results.read(folder / "results.csv"))),
        key=lambda place: place[0].row,
    )
    for row, s, _ in rows:
        _take(shards[s] / row.image, output / row.image)
    real = _real([row.unit for row, _, _ in rows], shards, output)
    if real:
        write_text(output / "real.csv", real)
    _join_tensors([(s, i) for _, s, i in rows], shards, output)
    results.write(output / "results.csv", [row for row, _, _ in rows])
    write_grid(output)
    about = abouts[0] | {"shard": None, "seconds": round(sum(about["seconds"] for about in abouts), 1)}
    write_text(output / "manifest.json", json.dumps(about, indent=1))


def _complete(shards: Sequence[Path], abouts: Sequence[dict[str, Any]]) -> None:
    """UserError unless every shard of one run is there, once, made with the same weights."""
    have: dict[str, Path] = {}
    for folder, about in zip(shards, abouts, strict=True):
        if not about.get("shard"):
            raise UserError(f"{folder} is a whole run, not a shard: leave it out")
        if about["shard"] in have:
            raise UserError(f"{have[about['shard']]} and {folder} are both shard {about['shard']}: give one of them")
        have[about["shard"]] = folder
        for what in ("weights", "contents"):
            _same(abouts[0].get(what, {}), about.get(what, {}), f"{shards[0]} and {folder}")
    of = abouts[0]["shard"].partition("/")[2]
    if not of.isdecimal() or int(of) > MOST:
        raise UserError(f"{shards[0]} is not a valid shard: its manifest.json has shard {abouts[0]['shard']!r}")
    wanted = [f"{i}/{of}" for i in range(int(of))]
    if missing := [shard for shard in wanted if shard not in have]:
        raise UserError(f"shard {', '.join(missing)} is missing: run it with shard={missing[0]}")
    if extra := [shard for shard in have if shard not in wanted]:
        raise UserError(
            f"{have[extra[0]]} is shard {extra[0]}, but the others are of {of}: give shards of one division"
        )


def _write_config(config: dict[str, Any], output: Path, counted: dict[str, Any]) -> None:
    """The whole run's `config.yaml`; UserError if `output` holds another run."""
    if (output / "config.yaml").exists():
        _same(counted, _counted(output), f"the shards and the run in {output}")
    settings.write(config | {"shard": None, "output": str(output)}, output, "synthesize")


def _take(source: Path, target: Path) -> None:
    """The same file under another name, without a second copy where the disk allows it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        with whole(target) as part:
            shutil.copyfile(source, part)


def _real(order: Sequence[str], shards: Sequence[Path], output: Path) -> str:
    """`real.csv` of the whole run, units in its order, and its pictures; a unit of two shards stands there once."""
    by_unit: dict[str, list[dict[str, str]]] = {}
    for folder in shards:
        of_shard: dict[str, list[dict[str, str]]] = {}
        for record in results.read_real(folder):
            of_shard.setdefault(record["unit"], []).append(record)
            _take(folder / record["image"], output / record["image"])
        by_unit |= of_shard
    if not by_unit:
        return ""
    text = io.StringIO()
    table = csv.DictWriter(text, next(iter(by_unit.values()))[0], lineterminator="\n")
    table.writeheader()
    for unit in dict.fromkeys(order):
        table.writerows(by_unit.get(unit, []))
    return text.getvalue()


def _join_tensors(places: Sequence[tuple[int, int]], shards: Sequence[Path], output: Path) -> None:
    """`codes.safetensors` from the shards' own, row by row in the order of `places`: which shard, which row of it."""
    files = [load_file(folder / "codes.safetensors") for folder in shards]
    joined = {name: np.stack([files[s][name][i] for s, i in places]) for name in TENSORS}
    results.write_tensors(output / "codes.safetensors", joined)
