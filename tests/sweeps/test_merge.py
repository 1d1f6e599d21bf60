"""Shards and the run that they are."""

import json

import pytest

from dgn import report
from dgn.base.errors import UserError
from dgn.report import results
from dgn.sweeps.merge import merge

UNITS = ("goldfish", "lemon", "school bus")


@pytest.fixture
def shards(tmp_path, run_folder):
    """Six rows in batches of one, in three shards of different sizes; and the whole run."""
    own = {"0/3": [0, 3], "1/3": [1, 4], "2/3": [2, 5]}
    folders = [run_folder(tmp_path / f"s{shard[0]}", UNITS, own=rows, shard=shard) for shard, rows in own.items()]
    return folders, run_folder(tmp_path / "whole", UNITS)


def test_a_merged_run_is_the_whole_run(shards, tmp_path):
    folders, whole = shards
    report.write_grid(whole)
    real = "unit,place,score,name,image\n{0},1,2.5,x.png,real/{1}-0.png\n"
    for folder, unit, place in ((folders[0], "lemon", 1), (folders[2], "lemon", 1), (folders[1], "goldfish", 0)):
        (folder / "real").mkdir()
        (folder / f"real/{place}-0.png").write_bytes(
            (folder / results.read(folder / "results.csv")[0].image).read_bytes()
        )
        (folder / "real.csv").write_text(real.format(unit, place))
    merge(folders[::-1], tmp_path / "all")
    for name in ("results.csv", "codes.safetensors", "grid.png"):
        assert (tmp_path / "all" / name).read_bytes() == (whole / name).read_bytes()
    for row in results.read(whole / "results.csv"):
        assert (tmp_path / "all" / row.image).read_bytes() == (whole / row.image).read_bytes()
    assert (tmp_path / "all/real.csv").read_text().splitlines()[1:] == [
        "goldfish,1,2.5,x.png,real/0-0.png", "lemon,1,2.5,x.png,real/1-0.png",
    ]  # fmt: skip
    about = results.about(tmp_path / "all")
    assert about["shard"] is None and about["seconds"] == 6.0
    assert "shard: null" in (tmp_path / "all/config.yaml").read_text()
    merge(folders, tmp_path / "all")  # merging again is no mistake


def test_what_does_not_belong_together_is_a_sentence(shards, tmp_path, run_folder):
    folders, whole = shards
    other = run_folder(tmp_path / "other", UNITS, own=[2, 5], shard="2/3", seed="7")
    stale = run_folder(tmp_path / "stale", UNITS, own=[2, 5], shard="2/3")
    (stale / "manifest.json").write_text(json.dumps(results.about(stale) | {"weights": {"target": "bb"}}))
    for given, sentence in (
        (folders[:2], r"shard 2/3 is missing: run it with shard=2/3"),
        ([*folders, folders[0]], "are both shard 0/3"),
        ([*folders[:2], other], "are not of one run, because seed is None and 7"),
        ([*folders[:2], stale], "are not of one run, because target is aa and bb"),
        ([*folders, run_folder(tmp_path / "x", UNITS, own=[0], shard="0/2")], "is shard 0/2, but the others are of 3"),
        ([whole], "is a whole run, not a shard"),
        ([tmp_path], "is not the folder of a run"),
    ):
        with pytest.raises(UserError, match=sentence):
            merge(given, tmp_path / "out")
        assert not (tmp_path / "out").exists()
    (folders[1] / "manifest.json").unlink()
    with pytest.raises(UserError, match="is not the folder of a finished run"):
        merge(folders, tmp_path / "out")


def test_a_shard_is_not_overwritten_by_the_whole_run(shards, tmp_path):
    folders, _ = shards
    before = {path: path.read_bytes() for path in folders[0].rglob("*") if path.is_file()}
    for output in (folders[0], tmp_path / "s1/../s0"):
        with pytest.raises(UserError, match="s0 is itself one of the shards: set another --output DIR"):
            merge(folders, output)
    assert {path: path.read_bytes() for path in folders[0].rglob("*") if path.is_file()} == before


def test_another_run_s_folder_is_not_overwritten(shards, tmp_path, run_folder):
    other = run_folder(tmp_path / "out", UNITS, prior="none")
    with pytest.raises(
        UserError, match=r"the shards and the run in .* are not of one run, because prior is None and none"
    ):
        merge(shards[0], other)
