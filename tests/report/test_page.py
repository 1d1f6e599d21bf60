"""The page and the grid, from files alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from dgn import report
from dgn.base import images
from dgn.base.errors import UserError
from dgn.report import results

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
    assert "judge #3" in page and "judge #6" in page and "1.25 × the best real" in page
    assert "the judge&#39;s first answer in 0 of 2, among its first five in 1" in page


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
    assert "without a prior: pixels" in page


def test_real_images_that_two_runs_have_are_shown_once(tmp_path, run_folder):
    runs = [run_folder(tmp_path / name, ("goldfish", "lemon")) for name in "ab"]
    for run in runs:
        text = "unit,place,score,name,image\ngoldfish,1,2.5,x.png,images/00000-goldfish-0.png\n"
        (run / "real.csv").write_text(text)
    page = report.write_page(runs, tmp_path, "T").read_text()
    assert page.count("real images that fire it most") == 1
    assert page.count("data:image/png;base64,") == 2 * 4 + 1


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
