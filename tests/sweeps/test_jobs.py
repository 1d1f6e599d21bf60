"""A sweep's folder: which points there are, and what became of each."""

import json

import pytest
from omegaconf import OmegaConf

from dgn.base import files
from dgn.base.errors import UserError
from dgn.sweeps import jobs

WORDS = ["units=[a],[b]", "prior.k=1,2", "seeds=3"]


@pytest.fixture
def sweep(tmp_path):
    """A folder as Hydra leaves it when a sweep of four points begins."""
    OmegaConf.save({"hydra": {"overrides": {"task": WORDS}}}, tmp_path / "multirun.yaml")
    return tmp_path


def begin(sweep, *words):
    folder = sweep / "+".join(words)
    folder.mkdir(exist_ok=True)
    return folder, jobs.begin(folder, words)


def test_every_point_has_a_state(sweep):
    done, _ = begin(sweep, "units=[a]", "prior.k=1", "seeds=3")
    jobs.finish(done)
    failed, _ = begin(sweep, "units=[a]", "prior.k=2", "seeds=3")
    jobs.fail(failed, "there is no unit 'a'\nTraceback")
    begin(sweep, "units=[b]", "prior.k=1", "seeds=3")
    earlier, _ = begin(sweep, "units=[c]", "prior.k=1", "seeds=3")
    with files.claim(earlier, resume=True):
        found = jobs.read(sweep)
    assert [(p.state, p.reason, p.current) for p in found] == [
        ("finished", "", True), ("failed", "there is no unit 'a'", True), ("stopped", "", True),
        ("not started", "", True), ("running", "", False),
    ]  # fmt: skip
    assert found[3].words == ("units=[b]", "prior.k=2", "seeds=3") and found[3].folder is None
    assert jobs.read(sweep)[4].state == "stopped"


def test_a_finished_point_is_not_begun_again_and_a_failed_one_is(sweep):
    folder, first = begin(sweep, "units=[a]", "prior.k=1", "seeds=3")
    jobs.fail(folder, "no")
    assert first and begin(sweep, "units=[a]", "prior.k=1", "seeds=3")[1]
    assert not (folder / "failed.txt").exists()
    jobs.finish(folder)
    assert not begin(sweep, "units=[a]", "prior.k=1", "seeds=3")[1]
    assert not jobs.begin(folder, ["prior.k=1", "units=[a]", "seeds=3", "resume=true"])  # typed in other words
    assert [point.state for point in jobs.read(sweep)].count("finished") == 1


def test_of_several_processes_the_first_notes_what_begins_and_the_first_reason_stands(sweep, monkeypatch):
    folder, _ = begin(sweep, "seeds=3")
    before = (folder / "point.json").read_text()
    monkeypatch.setenv("SLURM_PROCID", "1")
    jobs.fail(folder, "mine")
    assert jobs.begin(folder, ["seeds=3", "resume=true"])
    assert (folder / "point.json").read_text() == before and (folder / "failed.txt").exists()
    monkeypatch.setenv("SLURM_PROCID", "0")
    jobs.fail(folder, "the other is gone")
    assert (folder / "failed.txt").read_text() == "mine\n"


def test_weights_that_have_changed_since_are_told(sweep):
    folder, _ = begin(sweep, "units=[a]", "prior.k=1", "seeds=3")
    files.write_text(sweep / "w", "old")
    about = {"files": {"bundle": str(sweep / "w")}, "weights": {"bundle": files.sha256(sweep / "w")}}
    files.write_text(folder / "manifest.json", json.dumps(about))
    jobs.finish(folder)
    assert not jobs.begin(folder, ["units=[a]"])
    files.write_text(sweep / "w", "new")
    with pytest.raises(UserError, match="w has changed since"):
        jobs.begin(folder, ["units=[a]"])


def test_what_is_no_sweep_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="is not the folder of a sweep"):
        jobs.read(tmp_path)
