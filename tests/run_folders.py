"""Folders as runs and sweeps leave them."""

import json

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from dgn.report import results
from dgn.sweeps import jobs

PICTURES = [Image.fromarray(np.random.default_rng(i).integers(0, 256, (8, 8, 3), dtype=np.uint8)) for i in range(50)]


def write_run(folder, units=("goldfish", "lemon"), seeds=2, own=None, shard=None, score=10.0, **more):
    """A finished run of units × seeds, or of the rows `own` of it."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    own = list(range(len(units) * seeds)) if own is None else own
    rows = []
    for i in own:
        unit, seed = units[i // seeds], i % seeds
        image = f"images/{i:05d}-{unit}-{seed}.png"
        PICTURES[(i + int(score)) % len(PICTURES)].save(folder / image)
        rank = 1 + i % 3
        rows.append(results.Row(i, unit, unit, seed, score + i, 0.75, rank, 2.0, 0.25, "done", 4, 0.1, image))
    results.write(folder / "results.csv", rows)
    codes, curves = np.float32(own)[:, None].repeat(3, 1), np.float32(own)[:, None] + np.arange(4)
    tensors = {"codes": codes, "curves": curves}
    results.write_tensors(folder / "codes.safetensors", tensors)
    OmegaConf.save({"seeds": seeds, "shard": shard, "output": str(folder), **more}, folder / "config.yaml")
    about = {"target": {"name": "caffenet64", "layer": "fc8"}, "generator": {"name": "caffenet64-fc6"}, "seconds": 2.0,
             "rows": len(units) * seeds, "shard": shard, "weights": {"target": "aa"}}  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(about))
    return folder


@pytest.fixture
def run_folder():
    """See `write_run`."""
    return write_run


def write_point(sweep, name, *words):
    """The folder of a point that has begun."""
    folder = sweep / name
    folder.mkdir(parents=True)
    jobs.begin(folder, words)
    return folder


@pytest.fixture
def point_folder():
    """See `write_point`."""
    return write_point


@pytest.fixture
def sweep_folder(tmp_path):
    """A sweep over two settings and over units: of eight points six are finished, one failed, one never started."""
    sweep = tmp_path / "lab"
    sweep.mkdir()
    task = ["units=[goldfish,lemon],[school\\ bus]", "prior.k=1,10", "ascent=relative,adam", "seeds=2"]
    OmegaConf.save({"hydra": {"overrides": {"task": task}}}, sweep / "multirun.yaml")
    for i, words in enumerate(jobs.planned(sweep)):
        if i < 7:
            folder = write_point(sweep, f"p{i}", *words)
        if i < 6:
            units = ("goldfish", "lemon") if i < 4 else ("school bus",)
            write_run(folder, units=units, score=10.0 * (i + 1))
            jobs.finish(folder)
    jobs.fail(sweep / "p6", "there is no unit '</script>'")
    return sweep
