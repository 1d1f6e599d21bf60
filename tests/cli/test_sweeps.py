"""Sweeps as a user types them: `-m`, launchers, shards, points that are done already."""

import pytest

from dgn.synthesis import resume
from tests.commands import ROOT, table
from tests.commands import run as command


@pytest.mark.slow
def test_a_sweep_runs_every_point_once_and_goes_on_where_it_stopped(small_bundle, tmp_path, monkeypatch):
    lab = tmp_path / "lab"
    words = [str(ROOT / "synthesize.py"), "-m", f"bundle={small_bundle}", "units=[1,2]", "batch_size=1", "seeds=1",
             "ascent.steps=2", "prior.k=1,2,3", f"output={lab}"]  # fmt: skip
    keep, saved = resume.save, []

    def save(*what):
        keep(*what)
        saved.append(what)
        if len(saved) == 1:
            raise RuntimeError("a bug")
        if len(saved) == 4:
            raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr(resume, "save", save)
        _, error = command(*words, code=9)
    assert "RuntimeError: a bug" in error and "Traceback" in error
    said, _ = command("-m", "dgn", "report", "sweep", str(lab), code=1)
    assert "sweep: 1 of 3 points finished" in said
    states = {row["prior.k"]: (row["state"], row["reason"]) for row in table(lab / "points.csv")}
    assert states == {"1": ("failed", "RuntimeError: a bug"), "2": ("finished", ""), "3": ("stopped", "")}
    kept = sorted(lab.glob("*/images/00000-1-0.png"))
    before = [path.stat().st_mtime_ns for path in kept]
    assert len(kept) == 3
    said, _ = command(*words, "data.workers=3")  # which makes no other point
    assert said.count("already finished, skipped") == 1 and "sweep: 3 of 3 points finished" in said
    assert [path.stat().st_mtime_ns for path in kept] == before  # batches that were done are kept
    assert [path.parts[-3].rpartition("-")[0] for path in kept] == ["prior.k-1", "prior.k-2", "prior.k-3"]
    assert not list(lab.glob("*/failed.txt")) and len(list(lab.glob("*/images/*"))) == 6
    assert {path.name for path in lab.iterdir() if path.is_file()} == {
        "index.html", "rows.csv", "points.csv", "multirun.yaml"
    }  # fmt: skip


@pytest.mark.slow
def test_shards_through_a_launcher_are_the_whole_run(small_bundle, image_tree, tmp_path):
    words = [f"bundle={small_bundle}", "units=[0-5]", "seeds=2", "batch_size=4", "ascent.steps=3", "real_images=1",
             f"data.root={image_tree}"]  # fmt: skip
    script, whole, shards = str(ROOT / "synthesize.py"), tmp_path / "whole", tmp_path / "shards"
    command(script, *words, f"output={whole}")
    command(script, "-m", *words, "shard=0/2,1/2", "hydra/launcher=joblib", f"output={shards}")
    for path in [*whole.rglob("*.png"), whole / "codes.safetensors", whole / "real.csv"]:
        assert (shards / path.relative_to(whole)).read_bytes() == path.read_bytes(), path


def test_what_would_run_a_sweep_again_is_refused(tmp_path):
    words = ["-m", "seed=0,1", "trainer=ddp", "trainer.devices=2", f"output={tmp_path}"]
    _, error = command(str(ROOT / "train.py"), *words, code=1)
    assert error.count("would start the whole sweep again: set trainer.devices=1") == 2  # at once, and in the end
    assert "error: point 2 of 2" in error and error.count("seed-1-") == 2  # each point is named both times


@pytest.mark.slow
def test_a_sweep_of_synthesis_finds_the_bundles_of_a_sweep_of_training(image_tree, tmp_path):
    lab, priors = tmp_path / "lab", tmp_path / "priors"
    words = ["debug=true", f"data.root={image_tree}", "encoder.layer=fc6,pool5", f"output={priors}"]
    command(str(ROOT / "train.py"), "-m", *words)
    bundles = sorted(path.name for path in priors.glob("*/*.bundle.safetensors"))
    assert bundles == [
        "caffenet64-fc6-imagefolder.bundle.safetensors",
        "caffenet64-pool5-imagefolder.bundle.safetensors",
    ]
    found = table(priors / "points.csv")
    assert [row["encoder.layer"] for row in found] == ["fc6", "pool5"]
    assert all(float(row["unexplained/pixels"]) > 0 and row["images"] == "8" for row in found)
    shown, _ = command(str(ROOT / "train.py"), "-m", *words)
    assert shown.count("already finished, skipped") == 2
    words = [f"bundle={priors}", "bundle_filter.layer=fc6,pool5,fc7", "debug=true", "units=lemon", f"output={lab}"]
    _, error = command(str(ROOT / "synthesize.py"), "-m", *words, code=1)
    assert f"there is no bundle caffenet64-fc7-* in {priors}: make it by dgn train" in error
    assert [row["bundle_filter.layer"] for row in table(lab / "rows.csv")] == ["fc6", "pool5"]
    (failed,) = lab.glob("*/failed.txt")
    assert len(failed.read_text().splitlines()) == 1
