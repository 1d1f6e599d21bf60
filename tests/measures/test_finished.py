"""Which folders can be measured, and what pictures were made for."""

import json

import pytest
from omegaconf import OmegaConf

from dgn.base.errors import UserError
from dgn.measures.finished import Finished
from dgn.measures.subject import took_part
from dgn.report import results
from tests.measures.conftest import make_rows


def refused(folder, words):
    with pytest.raises(UserError, match=words) as told:
        Finished.read(folder)
    assert "\n" not in str(told.value)


def test_what_is_no_finished_run_is_refused_in_one_sentence(tmp_path, run_folder, sweep_folder):
    refused(tmp_path / "nowhere", "there is no folder .*nowhere")
    refused(sweep_folder, "lab is a sweep: measure its points, such as .*p0")
    shard = run_folder(tmp_path / "shard", shard="0/2")
    refused(shard, "is the shard 0/2: merge the shards first, dgn report merge")
    panels = run_folder(tmp_path / "panels", panels={"left": [], "right": []})
    refused(panels, r"has panels: measure them, .*panels/left .*panels/right")
    run = run_folder(tmp_path / "run")
    next((run / "images").glob("*")).unlink()
    refused(run, "is missing: repeat the run")
    refused(run / "images", "images is not the folder of a finished run: did you mean .*/run[?]")
    refused(tmp_path, "is not the folder of a finished run: did you mean .*/panels[?]")
    (run / "manifest.json").unlink()
    refused(run, "is not the folder of a finished run: it has no manifest.json; resume the run with resume=true")
    (tmp_path / "run" / "empty").mkdir()
    refused(run / "empty", "it has no manifest.json, which a run writes at its end")


def test_a_run_without_pictures_is_refused(tmp_path, run_folder):
    run = run_folder(tmp_path / "run")
    results.write(run / "results.csv", [])
    refused(run, "has no pictures")


@pytest.mark.parametrize("seeds", [1, 3])
def test_pictures_come_in_the_order_of_rows_whatever_the_batch(tmp_path, run_folder, seeds):
    run = Finished.read(run_folder(tmp_path / "run", seeds=seeds))
    assert [len(x) for x in run.batches(2)] == [2] * seeds and run.shape == (3, 8, 8)
    assert run.units == ["goldfish"] * seeds + ["lemon"] * seeds


def test_the_class_of_a_picture_is_known_for_one_maximised_output_alone(tmp_path, run_folder, network_settings):
    names = ["goldfish, Carassius auratus", "lemon", "cup", "cup"]
    folder = run_folder(
        tmp_path / "run", units=("goldfish", "1", "-lemon", "0.5*lemon", "lemon-goldfish", "2"), seeds=1
    )
    run = Finished.read(folder)
    assert run.classes == [None] * 6, "no names are known"
    config = OmegaConf.load(folder / "config.yaml")
    config.target = network_settings("my_pkg.MyNet", classes=names).model_dump(by_alias=True)
    OmegaConf.save(config, folder / "config.yaml")
    about = json.loads((folder / "manifest.json").read_text()) | {"contents": {"classes": "digest"}}
    (folder / "manifest.json").write_text(json.dumps(about))
    assert Finished.read(folder).classes == [names[0], "lemon", None, "lemon", None, None]


def test_settings_that_came_after_a_run_are_at_their_defaults(tmp_path, run_folder):
    folder = run_folder(tmp_path / "run")
    config = OmegaConf.load(folder / "config.yaml")
    kept = OmegaConf.to_container(config)
    for key in [key for key in ("real_patches", "stimulus") if key in config]:
        del config[key]
    if "target" in config:
        config.target.pop("members", None)
    OmegaConf.save(config, folder / "config.yaml")
    read = Finished.read(folder).config
    assert read["real_patches"] is False and read["stimulus"] == {}
    assert all(read[key] == value for key, value in kept.items() if key not in {"target", "stimulus", "real_patches"})
    if "target" in kept:
        assert read["target"]["members"] == {} and read["target"]["_target_"] == kept["target"]["_target_"]


def test_the_members_of_an_ensemble_took_part(subject):
    made = subject(make_rows(["apple"], 1))
    made.run.about["weights"].update({"target": "a 12 b 34", "target.members.a": "12", "target.members.b": "34"})
    name = made.run.name
    assert took_part([made]) == {f"the target of {name}": "a 12 b 34", f"the member a of the target of {name}": "12",
                                 f"the member b of the target of {name}": "34"}  # fmt: skip
