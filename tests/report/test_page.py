"""The page and the grid, from files alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from safetensors.torch import save_file

from dgn import cli, report
from dgn.base import images
from dgn.base.errors import UserError
from dgn.report import method, results
from dgn.report.page import template
from dgn.report.private import names_only

EVIL = "</script><script>alert(1)</script>'\"<b>"


def write_run(folder, generator="caffenet64-fc6", label="goldfish", target="caffenet64", curve=None):
    rows = []
    for i, state in enumerate(("done", "dead")):
        image = f"images/{i:05d}.png"
        images.save(folder / image, torch.rand(3, 8, 8))
        rows.append(results.Row(i, "1", label, i, 3.5 + i, 0.75, 1, 2.0, 0.25, state, 4, 0.1, image))
    results.write(folder / "results.csv", rows)
    curves = torch.rand(2, 4) if curve is None else curve
    save_file({"codes": torch.rand(2, 3), "curves": curves}, folder / "codes.safetensors")
    (folder / "config.yaml").write_text(f"title: {label}\n")
    about = {"target": {"name": target, "layer": "fc8"}, "generator": {"name": generator}}
    (folder / "manifest.json").write_text(json.dumps(about))
    return folder


def test_everything_is_inside_the_page(tmp_path):
    page = report.write_page([write_run(tmp_path / "a")], tmp_path, "Title").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "goldfish" in page
    assert "75 %" in page
    assert "dead" in page
    assert "polyline" in page
    for outside in ("http://", "https://", 'src="images', "@import", "url("):
        assert outside not in page


def test_what_the_judge_said_and_the_real_images_are_beside_each_picture(tmp_path):
    run = write_run(tmp_path / "a")
    page = report.write_page([run], tmp_path, "T").read_text()
    assert "judge" not in page
    rows = [
        replace(row, judge_rank=3 + 3 * i, relative=1.25) for i, row in enumerate(results.read(run / "results.csv"))
    ]
    results.write(run / "results.csv", rows)
    page = report.write_page([run], tmp_path, "T").read_text()
    assert "judge #3" in page and "judge #6" in page and "1.25 × best real" in page
    assert "judge top-1 0, top-5 1 of 2" in page


def test_what_is_shown_is_escaped(tmp_path):
    page = report.write_page([write_run(tmp_path / "a", label=EVIL, generator=EVIL)], tmp_path, EVIL).read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_runs_with_one_target_share_their_cards(tmp_path):
    runs = [write_run(tmp_path / "a"), write_run(tmp_path / "b", generator="pixels"),
            write_run(tmp_path / "c", target="efficientnet_lite0")]  # fmt: skip
    page = report.write_page(runs, tmp_path, "T").read_text()
    assert page.count("<article") == 2
    assert page.count("<section") == 2
    assert "without a generator: pixels" in page


def test_real_images_that_two_runs_have_are_shown_once(tmp_path, run_folder):
    runs = [run_folder(tmp_path / name, ("goldfish", "lemon")) for name in "ab"]
    for run in runs:
        text = "unit,place,score,name,image\ngoldfish,1,2.5,x.png,images/00000-goldfish-0.png\n"
        (run / "real.csv").write_text(text)
    page = report.write_page(runs, tmp_path, "T").read_text()
    assert page.count("real images with the highest score") == 1
    assert page.count("data:image/png;base64,") == 2 * 4
    assert page.count("data:image/webp;base64,") == 1  # a thumbnail: real images are shown small


def test_a_curve_of_a_row_that_never_moved(tmp_path):
    run = write_run(tmp_path / "a", curve=torch.full((2, 4), torch.nan))
    assert "NaN" not in report.write_page([run], tmp_path, "T").read_text()


def test_a_folder_without_results_is_a_sentence(tmp_path):
    with pytest.raises(UserError):
        report.write_page([tmp_path / "none"], tmp_path, "T")


def test_the_grid_shows_every_row(tmp_path):
    sheet = np.asarray(Image.open(report.write_grid(write_run(tmp_path / "a"))))
    assert sheet.shape[1] > sheet.shape[0] > 50
    assert sheet.std() > 10


METHOD = {"start": "noise", "searched": "the code of a generator that inverts fc6 of caffenet64",
          "range": "each element stays within 3 standard deviations of its mean",
          "score": "the unit's value, before the layer's own nonlinearity",
          "minimised": 0, "sums": 0, "judge": None}  # fmt: skip


def with_method(folder, **changed):
    about = results.about(folder)
    (folder / "manifest.json").write_text(json.dumps(about | {"method": METHOD | changed}))
    return folder


def test_what_is_said_of_the_method_is_what_the_run_did(tmp_path):
    run = with_method(write_run(tmp_path / "a"), start="the code of the image cup.jpg", range="nothing limits it",
                      searched="the pixels themselves", score="its lead", minimised=1)  # fmt: skip
    page = report.write_page([run], tmp_path, "T").read_text()
    assert (
        "The search started from the code of the image cup.jpg and optimised the pixels themselves; nothing limits it."
        in page
    )
    assert "The number in bold is the score: its lead." in page and "A unit with a minus in front" in page
    assert "A sum of units" not in page and "noise" not in page and "standard deviations" not in page


def test_runs_that_were_made_otherwise_are_told_apart(tmp_path):
    runs = [
        with_method(write_run(tmp_path / "free"), range="nothing limits it"),
        with_method(write_run(tmp_path / "kept")),
    ]
    page = report.write_page(runs, tmp_path, "T").read_text()
    assert "Free: the search started from noise" in page and "mean." in page and page.count("nothing limits it") >= 1
    same = [with_method(write_run(tmp_path / name)) for name in "bc"]
    assert report.write_page(same, tmp_path, "T").read_text().count("<p>Each picture") == 1


def test_where_a_channel_is_read_and_which_real_images_were_scored_are_said(tmp_path):
    run = with_method(write_run(tmp_path / "a"), place="its mean over all positions", unrelated="no names",
                      real={"scored": "val", "images": 1200})  # fmt: skip
    page = report.write_page([run], tmp_path, "T").read_text()
    assert "value is its mean over all positions." in page
    assert "among 1,200 held-out images (real_from=val)" in page
    assert "There is no × best real: no names." in page
    results.write(run / "results.csv", [replace(row, relative=1.25) for row in results.read(run / "results.csv")])
    assert "There is no × best real" not in report.write_page([run], tmp_path, "T").read_text()


def test_a_layer_without_ranks_is_not_sorted_by_them(tmp_path):
    run = write_run(tmp_path / "a")
    assert 'value="rank"' in report.write_page([run], tmp_path, "T").read_text()
    rows = [replace(row, probability=None, rank=None) for row in results.read(run / "results.csv")]
    results.write(run / "results.csv", rows)
    page = report.write_page([run], tmp_path, "T").read_text()
    assert 'value="rank"' not in page and 'value="probability"' not in page


def test_what_success_is_for_a_minimised_unit_is_said(tmp_path):
    run = write_run(tmp_path / "a")
    assert "a rank near the last" not in report.write_page([run], tmp_path, "T").read_text()
    results.write(run / "results.csv", [replace(row, unit="-1") for row in results.read(run / "results.csv")])
    assert "a rank near the last are a success" in report.write_page([run], tmp_path, "T").read_text()


def test_the_page_says_where_the_whole_paths_are(tmp_path):
    page = report.write_page([write_run(tmp_path / "a")], tmp_path, "T").read_text()
    assert "Folders are left out of the paths here. config.yaml, in the run's folder, has them in full" in page


def test_of_a_sweep_only_what_all_points_share_is_said():
    other = METHOD | {"range": "the code was not limited"}
    assert "noise and optimised the code of a generator that inverts fc6 of caffenet64; each" in method.shared([METHOD])
    said = method.shared([METHOD, other])
    assert "The search started from noise and optimised the code of a generator that inverts fc6 of caffenet64." in said
    assert method.shared([{}]).startswith(
        "Each picture was made by gradient ascent on the score of its unit. The number"
    )


def test_an_old_run_s_page_says_no_more_than_is_known(tmp_path):
    page = report.write_page([write_run(tmp_path / "a")], tmp_path, "T").read_text()
    assert "<p>Each picture was made by gradient ascent on the score of its unit.</p>" in page
    assert "The number in bold is the score." in page


def test_no_folder_of_this_machine_is_on_the_page(tmp_path):
    run = write_run(tmp_path / "a", label="conv5:/home/alice/dirs/d.npy@max")
    config = {"output": "/home/alice/out", "typed": ["bundle=/home/alice/My G.safetensors"], "data": {"root": "~/pics"},
              "target": {"weights": "C:\\Users\\alice\\net.pth"}, "note": "from file:///home/alice/x.npy"}  # fmt: skip
    OmegaConf.save(config, run / "config.yaml")
    about = results.about(run) | {"files": {"bundle": str(tmp_path / "g.safetensors")}, "title": "/home/alice/t"}
    (run / "manifest.json").write_text(json.dumps(about))
    page = report.write_page([run], tmp_path, "of /home/alice/x").read_text()
    assert "alice" not in page and str(tmp_path) not in page and "~/" not in page
    for name in ("My G.safetensors", "net.pth", "x.npy", "conv5:d.npy@max"):
        assert name in page


@pytest.mark.parametrize(
    "text", ["shard 0/2", "a / b", "hf_hub:timm/resnet", "https://a.b/c", "runs/x", "0.5*a", "/", "~"]
)
def test_what_is_no_absolute_path_stays(text):
    assert names_only(text) == text


@pytest.mark.parametrize("score", [float("nan"), float("inf"), 99.0])
def test_a_dead_row_is_never_the_best(tmp_path, score):
    run = write_run(tmp_path / "a")
    first, second = results.read(run / "results.csv")
    for rows in ([replace(second, score=score), first], [first, replace(second, score=score)]):
        results.write(run / "results.csv", rows)
        page = report.write_page([run], tmp_path, "T").read_text()
        assert 'data-score="3.5"' in page and "nan" not in page and ">inf" not in page
    results.write(run / "results.csv", [replace(second, score=score)] * 2)
    assert 'data-score="-Infinity"' in report.write_page([run], tmp_path, "T").read_text()


@pytest.mark.parametrize("name", ["../../x", "/x", "a/b", "..", "", ".hidden", "a\\b", "x."])
def test_a_panel_that_leads_out_of_its_run_is_refused(tmp_path, name):
    OmegaConf.save({"panels": {name: ["seeds=1"]}}, tmp_path / "config.yaml")
    with pytest.raises(UserError, match="is not a folder name"):
        report.write_page([tmp_path], tmp_path)


def ask(*words):
    cli.main(["report", *map(str, words)])


def test_one_run_s_page_needs_no_more_words(tmp_path, capsys):
    run = write_run(tmp_path / "a", label="Cats")
    ask("page", run)
    assert capsys.readouterr().out == f"page: {run / 'index.html'}\n"
    assert "<h1>Cats</h1>" in (run / "index.html").read_text()


def test_a_run_with_panels_is_a_page_of_them(tmp_path):
    for name in ("box", "no prior"):
        write_run(tmp_path / "lab" / name)
    OmegaConf.save({"panels": {"box": [], "no prior": []}, "title": "Ranges"}, tmp_path / "lab/config.yaml")
    ask("page", tmp_path / "lab")
    page = (tmp_path / "lab/index.html").read_text()
    assert "<h1>Ranges</h1>" in page and "<b>no prior</b>" in page and page.count("<figure") == 4


def test_a_sweep_s_page_is_made_by_either_word(sweep_folder, capsys):
    with pytest.raises(SystemExit, match="1"):
        ask("page", sweep_folder)
    assert "6 of 8 points finished" in capsys.readouterr().out
    assert "Sweep of units and prior.k and ascent (lab)" in (sweep_folder / "index.html").read_text()


def test_a_page_that_cannot_be_made_is_a_sentence(tmp_path, sweep_folder):
    run = write_run(tmp_path / "a")
    broken = write_run(tmp_path / "b")
    (broken / "config.yaml").write_text("a: [")
    for words, sentence in (
        (["page", run, run], "needs its own folder: add --output DIR"),
        (["page", run, sweep_folder, "--output", tmp_path], "is a sweep"),
        (["page", tmp_path / "none"], "it does not exist"),
        (["page", tmp_path], "is not the folder of a finished run: did you mean .*/a[?]"),
        (["page", broken], "is not a run's config"),
    ):
        with pytest.raises(SystemExit, match=sentence):
            ask(*words)


def test_a_small_score_is_not_rounded_to_nothing():
    number = template("page.html.j2").environment.filters["number"]
    assert [number(-0.042, 1), number(12.34, 1), number(0.4, 0), number(float("nan"), 1)] == ["-0.04", "12.3", "0", "–"]
