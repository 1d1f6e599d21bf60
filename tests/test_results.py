"""The results table."""

from dataclasses import replace

import pytest

from dgn import results
from dgn.errors import UserError

ROW = results.Row(0, "1", "goldfish, fish", 3, 1.5, None, None, 2.0, 0.25, "done", 200, 0.1, "images/x.png")


def test_write_and_read(tmp_path):
    results.write(tmp_path / "results.csv", [ROW])
    assert results.read(tmp_path / "results.csv") == [ROW]


def test_the_summary_counts_what_the_target_names():
    named, other = replace(ROW, rank=1), replace(ROW, rank=2, state="dead")
    minimised = replace(ROW, unit="-1", rank=1, score=2.5)
    found = results.summary([named, other, minimised])
    assert found == "target top-1 50.0 % of 2 pictures, mean score 2.00, 1 rows dead"
    assert results.summary([ROW]) == "mean score 1.50"


def test_what_is_no_table_is_refused(tmp_path):
    (tmp_path / "results.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="not the results table"):
        results.read(tmp_path / "results.csv")
