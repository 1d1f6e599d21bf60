"""The tables and the page of a sweep, from its folders alone."""

import csv
import json
import math
import re
from dataclasses import replace

import pytest
from omegaconf import OmegaConf

from dgn.base import files
from dgn.base.errors import UserError
from dgn.cli import main
from dgn.report import results
from dgn.sweeps import jobs
from dgn.sweeps.page import write_sweep


def lines(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def data(sweep):
    page = (sweep / "index.html").read_text()
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1]
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"a browser reads no {name}"))


def test_what_is_said_in_the_end(sweep_folder):
    said, complete = write_sweep(sweep_folder)
    assert not complete
    assert "6 of 8 points finished" in said
    assert "failed: p6 (there is no unit '</script>')" in said
    assert "not started: units=[school\\ bus] prior.k=10 ascent=adam seeds=2" in said
    assert said.endswith(f"page: {sweep_folder}/index.html")


def test_a_reason_is_told_once_and_a_page_of_nothing_is_not_written(tmp_path):
    (tmp_path / "multirun.yaml").write_text("hydra: {overrides: {task: ['units=a,b', 'seeds=1,2']}}")
    for i, words in enumerate(jobs.planned(tmp_path)):
        folder = tmp_path / f"p{i}"
        folder.mkdir()
        jobs.begin(folder, words)
        jobs.fail(folder, "there is no layer 'x'" if i < 3 else "a full disk")
    said, complete = write_sweep(tmp_path)
    assert not complete
    assert said.splitlines() == [
        "sweep: 0 of 4 points finished",
        "  failed: p0, p1, p2 (there is no layer 'x')",
        "  failed: p3 (a full disk)",
    ]
    assert not (tmp_path / "index.html").exists()


def test_the_tables_have_the_settings_as_columns(sweep_folder):
    write_sweep(sweep_folder)
    found = lines(sweep_folder / "points.csv")
    assert len(found) == 8
    assert list(found[0])[:5] == ["units", "prior.k", "ascent", "state", "reason"]
    assert found[1] | {"reason": ""} == {
        "units": "[goldfish,lemon]", "prior.k": "1", "ascent": "adam", "state": "finished", "reason": "",
        "folder": "p1", "pictures": "4", "dead": "0", "seconds": "0.4", "score": "21.5", "share_at_bound": "0.25",
        "target_top1": "50", "file": "",
    }  # fmt: skip
    assert [line["state"] for line in found[-2:]] == ["failed", "not started"]
    rows = lines(sweep_folder / "rows.csv")
    assert len(rows) == 4 * 4 + 2 * 2
    last = rows[-1]
    assert (last["units"], last["prior.k"], last["unit"], last["seed"]) == ("[school bus]", "1", "school bus", "1")
    assert (sweep_folder / last["folder"] / last["image"]).exists()


def test_the_page_has_an_axis_a_setting_and_a_cell_a_combination(sweep_folder):
    write_sweep(sweep_folder)
    found = data(sweep_folder)
    assert found["axes"] == [
        {"name": "prior.k", "values": ["1", "10"], "numbers": True},
        {"name": "ascent", "values": ["relative", "adam"], "numbers": False},
    ]
    assert found["units"] == [["goldfish"] * 2, ["lemon"] * 2, ["school bus"] * 2] and found["seeds"] == [0, 1]
    assert found["cells"]["0,1"]["rows"]["lemon 0"][1:] == [22.0, 0.75, 3, 0]
    assert found["cells"]["0,0"]["rows"].keys() >= {"goldfish 1", "school bus 1"}  # points that differ in units alone
    assert "failed: there is no unit '</script>'" in found["cells"]["1,0"]["said"]
    assert "not started" in found["cells"]["1,1"]["said"]
    page = (sweep_folder / "index.html").read_text()
    assert "</script>'" not in page
    assert not re.search(r"https?://|@import|url\(", page)


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_number_that_is_not_finite_is_none_on_the_page(sweep_folder, score):
    rows = results.read(sweep_folder / "p0/results.csv")
    results.write(sweep_folder / "p0/results.csv", [replace(rows[0], score=score, probability=math.nan), *rows[1:]])
    write_sweep(sweep_folder)
    found = data(sweep_folder)
    assert found["cells"]["0,0"]["rows"]["goldfish 0"][1:3] == [None, None]
    at = found["points"]["columns"].index("mean score")
    assert [line["cells"][at] for line in found["points"]["lines"]][:2] == [None, 21.5]


def test_points_of_two_sweeps_in_one_folder_are_compared(sweep_folder, point_folder, run_folder):
    folder = point_folder(sweep_folder, "later", "prior.k=2", "units=[lemon]")
    run_folder(folder, units=("lemon",), ascent="adam")
    jobs.finish(folder)
    write_sweep(sweep_folder)
    found = data(sweep_folder)
    assert found["axes"][0]["values"] == ["1", "2", "10"]
    assert found["cells"]["1,1"]["rows"].keys() == {"lemon 0", "lemon 1"}


def test_a_unit_of_two_targets_has_both_its_names(tmp_path, point_folder, run_folder):
    for name, label in (("a", "bullfrog"), ("b", "house finch")):
        folder = point_folder(tmp_path, name, f"network@target={name}")
        table = run_folder(folder, units=("12",), seeds=1) / "results.csv"
        results.write(table, [replace(row, label=label) for row in results.read(table)])
        jobs.finish(folder)
    write_sweep(tmp_path)
    assert data(tmp_path)["units"] == [["12", "bullfrog / house finch"]]


def test_a_sweep_of_trainings_is_a_table(tmp_path, point_folder, run_folder):
    for layer, error in (("fc6", 0.5), ("pool5", 0.25)):
        folder = point_folder(tmp_path, layer, f"encoder.layer={layer}", "data=photos")
        files.write_text(folder / "config.yaml", "task: generator\n")
        files.write_text(folder / "metrics.csv", f"iteration,images,metric,value\n1,32,val/unexplained/pixels,9\n"
                         f"2,64,val/unexplained/pixels,{error}\n2,64,loss/pixel,1\n")  # fmt: skip
        run_folder(folder / "x")
        (folder / "grids").mkdir()
        (folder / "x/images/00000-goldfish-0.png").rename(folder / "grids/00000002.png")
        files.write_text(folder / f"caffenet64-{layer}-photos.bundle.safetensors", "")
        jobs.finish(folder)
    said, complete = write_sweep(tmp_path)
    assert said.startswith("sweep: 2 of 2 points finished") and complete
    found = lines(tmp_path / "points.csv")
    assert [(line["encoder.layer"], line["unexplained/pixels"], line["images"]) for line in found] == [
        ("fc6", "0.5", "64"), ("pool5", "0.25", "64"),
    ]  # fmt: skip
    assert found[0]["file"] == "fc6/caffenet64-fc6-photos.bundle.safetensors"
    assert not (tmp_path / "rows.csv").exists()
    page = data(tmp_path)
    assert page["units"][0][0] == "reconstructions" and len(page["pictures"]) == 2


def test_panels_of_a_point_are_a_setting(tmp_path, point_folder, run_folder):
    OmegaConf.save({"hydra": {"overrides": {"task": ["seed=0,1"]}}}, tmp_path / "multirun.yaml")
    for seed in (0, 1):
        folder = point_folder(tmp_path, f"s{seed}", f"seed={seed}")
        files.write_text(folder / "config.yaml", "panels: {box: [], free: []}\n")
        for panel in ("box", "free"):
            run_folder(folder / panel)
        jobs.finish(folder)
    write_sweep(tmp_path)
    assert [axis["name"] for axis in data(tmp_path)["axes"]] == ["panel"]
    links = [line["link"] for line in data(tmp_path)["points"]["lines"]]
    assert links == ["s0/index.html", "s0/index.html", "s1/index.html", "s1/index.html"]
    assert {line["folder"] for line in lines(tmp_path / "rows.csv")} == {"s0/box", "s0/free", "s1/box", "s1/free"}


def test_shards_of_a_run_with_panels_become_the_one_run(tmp_path, point_folder, run_folder):
    OmegaConf.save({"hydra": {"overrides": {"task": ["shard=0/2,1/2"]}}}, tmp_path / "multirun.yaml")
    for i in range(2):
        folder = point_folder(tmp_path, f"s{i}", f"shard={i}/2")
        files.write_text(folder / "config.yaml", f"panels: {{a: [], b: []}}\nshard: {i}/2\n")
        for panel in ("a", "b"):
            run_folder(folder / panel, own=[2 * i, 2 * i + 1], shard=f"{i}/2")
        jobs.finish(folder)
    assert write_sweep(tmp_path)[1]
    assert len(results.read(tmp_path / "a/results.csv")) == len(results.read(tmp_path / "b/results.csv")) == 4


def test_shards_alone_become_the_one_run(tmp_path, point_folder, run_folder):
    OmegaConf.save({"hydra": {"overrides": {"task": ["shard=0/2,1/2", "seeds=2"]}}}, tmp_path / "multirun.yaml")
    for i in range(2):
        folder = point_folder(tmp_path, f"s{i}", f"shard={i}/2", "seeds=2")
        run_folder(folder, own=[2 * i, 2 * i + 1], shard=f"{i}/2")
        if i == 0:
            jobs.finish(folder)
    assert not write_sweep(tmp_path)[1]
    assert not (tmp_path / "results.csv").exists()  # the other shard is not finished
    jobs.finish(folder)
    assert write_sweep(tmp_path)[1]
    assert len(lines(tmp_path / "results.csv")) == 4
    assert "<article" in (tmp_path / "index.html").read_text()


def test_what_is_no_sweep_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="is not the folder of a sweep"):
        write_sweep(tmp_path)


def test_a_line_of_metrics_that_a_stop_cut_short_does_not_count(sweep_folder):
    killed = sweep_folder / "p6"
    whole = "iteration,images,metric,value\n10,320,val/unexplained/fc6,0.5\n20,640,"
    for cut in ("", "val/unexpl", "val/unexplained/fc6,0."):
        (killed / "metrics.csv").write_text(whole + cut)
        write_sweep(sweep_folder)
        (line,) = [line for line in lines(sweep_folder / "points.csv") if line["folder"] == "p6"]
        assert (line["images"], line["unexplained/fc6"]) == ("320", "0.5")


def test_some_shards_of_a_run_are_a_sweep_like_any_other(tmp_path, run_folder):
    task = ["units=[goldfish,lemon]", "shard=0/3,1/3"]
    OmegaConf.save({"hydra": {"overrides": {"task": task}}}, tmp_path / "multirun.yaml")
    for i, words in enumerate(jobs.planned(tmp_path)):
        jobs.begin(run_folder(tmp_path / f"p{i}", own=[i], shard=f"{i}/3"), words)
        jobs.finish(tmp_path / f"p{i}")
    said, complete = write_sweep(tmp_path)
    assert complete and said.endswith(f"page: {tmp_path}/index.html")
    assert not (tmp_path / "results.csv").exists()


def test_a_run_from_which_something_was_taken_is_a_sentence(run_folder, tmp_path):
    run = run_folder(tmp_path / "run")
    (run / "codes.safetensors").unlink()
    with pytest.raises(SystemExit, match=r"error: No such file or directory: .*codes\.safetensors"):
        main(["report", "page", str(run), "--output", str(tmp_path / "page")])
