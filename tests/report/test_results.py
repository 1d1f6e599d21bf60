"""The results table."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from dgn.base.errors import UserError
from dgn.report import results

ROW = results.Row(0, "1", "goldfish, fish", 3, 1.5, None, None, 2.0, 0.25, "done", 200, 0.1, "images/x.png")


def test_write_and_read(tmp_path):
    rows = [ROW, replace(ROW, judge_rank=3, relative=0.5)]
    results.write(tmp_path / "results.csv", rows)
    assert results.read(tmp_path / "results.csv") == rows


def test_the_summary_counts_what_the_target_names():
    named, other = replace(ROW, rank=1), replace(ROW, rank=2, state="dead")
    minimised = replace(ROW, unit="-1", rank=1, score=2.5)
    found = results.summary([named, other, minimised])
    assert found == "target top-1 50.0 % of 2 pictures, mean score 2.00, 1 row dead"
    assert results.summary([ROW]) == "mean score 1.50"


def test_the_judge_and_the_real_images_have_their_figures():
    rows = [
        replace(ROW, rank=1, judge_rank=rank, relative=relative) for rank, relative in ((1, 1.5), (5, 2.0), (6, None))
    ]
    found = results.measures([*rows, replace(ROW, unit="-1")])
    assert (found["judge_top1"], found["judge_top5"]) == (pytest.approx(100 / 3), pytest.approx(200 / 3))
    assert found["relative"] == 1.75
    expected = "judge top-1 33.3 %, top-5 66.7 % of 3, mean score 1.50, 1.75 × the best real image's"
    assert results.summary(rows).endswith(expected)


def test_an_older_table_is_read(tmp_path):
    results.write(tmp_path / "results.csv", [replace(ROW, judge_rank=3, relative=0.5)])
    lines = (tmp_path / "results.csv").read_text().splitlines()
    (tmp_path / "results.csv").write_text("\n".join(line.rsplit(",", 2)[0] for line in lines))
    assert results.read(tmp_path / "results.csv") == [ROW]


def test_dead_rows_have_no_part_in_the_means():
    found = results.measures([replace(ROW, rank=2, score=3.0), replace(ROW, state="dead", rank=1, score=-9.0)])
    assert found == {"pictures": 2, "dead": 1, "seconds": 0.2, "score": 3, "share_at_bound": 0.25, "target_top1": 50}
    assert results.measures([replace(ROW, state="dead")]).keys() == {"pictures", "dead", "seconds"}


def test_what_is_no_table_is_refused(tmp_path):
    (tmp_path / "results.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="not a run's results table"):
        results.read(tmp_path / "results.csv")


def test_tensors_are_the_library_s_file_whole_or_not_at_all(tmp_path):
    random = np.random.default_rng(0)
    tensors = {"curves": random.random((7, 5), "f4"), "codes": random.random((7, 2, 3, 3), "f4")}
    save_file(tensors, tmp_path / "whole")
    results.write_tensors(tmp_path / "ours", tensors)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "whole").read_bytes()
    results.write_tensors(tmp_path / "views", {name: value.T for name, value in tensors.items()})
    for name, value in load_file(tmp_path / "views").items():
        assert np.array_equal(value, tensors[name].T)
    with pytest.raises(SafetensorError):
        results.write_tensors(tmp_path / "ours", {"codes": np.array(["a"])})
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("image", ["/etc/hostname", "../x.png", "images/../../x.png"])
def test_a_picture_outside_its_folder_is_refused(tmp_path, image):
    results.write(tmp_path / "results.csv", [replace(ROW, image=image)])
    with pytest.raises(UserError, match=r"results\.csv is not a run's results table .* is not in its folder"):
        results.read(tmp_path / "results.csv")
    (tmp_path / "real.csv").write_text(f"unit,place,score,name,image\n1,1,2.0,x,{image}\n")
    with pytest.raises(UserError, match=r"real\.csv is not a run's table of real images"):
        results.read_real(tmp_path)


def test_a_line_that_was_cut_short_is_a_sentence(tmp_path):
    results.write(tmp_path / "results.csv", [ROW])
    text = (tmp_path / "results.csv").read_text()
    (tmp_path / "results.csv").write_text(text[: text.index("done")])
    with pytest.raises(UserError, match=r"results\.csv is not a run's results table"):
        results.read(tmp_path / "results.csv")


def test_a_run_without_real_images_has_none(tmp_path):
    assert results.read_real(tmp_path) == []
