"""Tables of measures: written, read back, and shown."""

import json
import math

import pytest

from dgn.base.errors import UserError
from dgn.report import measured
from dgn.report.page import write_page

ONE = {"measure": "a/b", "value": 0.5, "low": 0.25, "high": 0.75, "n": 8, "note": ""}
NONE = {"measure": "a/<c>", "value": math.nan, "low": math.nan, "high": math.nan, "n": 0, "note": "no <judge>"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0.000"), (1, "1.00"), (0.98765, "0.988"), (12.345, "12.3"), (123.4, "123"), (12345.6, "12346"),
     (0.00012345, "1.2e-04"), (-0.0346, "-0.035"), (100, "100"), (-26.74, "-26.7")],
)  # fmt: skip
def test_three_digits_are_shown(value, shown):
    assert measured.digits(value) == shown


def test_what_is_written_is_read_back_and_a_missing_number_is_empty(tmp_path):
    measured.write(tmp_path / "measures.csv", [ONE, NONE])
    assert (tmp_path / "measures.csv").read_text().splitlines()[1:] == ["a/b,0.5,0.25,0.75,8,", "a/<c>,,,,0,no <judge>"]
    lines = [measured.line(row) for row in measured.read(tmp_path)]
    assert (lines[0].value, lines[0].n, lines[1].value, lines[1].n) == ("0.500 [0.250, 0.750]", "8", "", "")
    assert measured.read(tmp_path / "none") == []


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "measure,value,low,high,n,note\nx\n"])
def test_another_table_is_refused(tmp_path, text):
    (tmp_path / "measures.csv").write_text(text)
    with pytest.raises(UserError, match=r"is not a table of measures.*: delete it, or measure again"):
        measured.read(tmp_path)


def test_a_number_that_is_none_is_refused():
    with pytest.raises(UserError, match=r"could not convert.*'many'.*measure again"):
        measured.line(ONE | {"value": "many"})


def test_the_page_has_the_table_escaped_and_of_several_runs_the_differences(tmp_path, run_folder):
    one, two = run_folder(tmp_path / "one"), run_folder(tmp_path / "two")
    assert "measures, with" not in write_page([one], one).read_text()
    measured.write(one / "measures.csv", [ONE, NONE])
    page = write_page([one], one).read_text()
    assert "0.500 [0.250, 0.750]" in page and "a/&lt;c&gt;" in page and "no &lt;judge&gt;" in page and "<c>" not in page
    measured.write(two / "measures.csv", [ONE | {"value": 0.125}])
    difference = ONE | {"first": "one", "second": "two", "value": 0.375, "low": 0.25, "high": 0.5}
    both = tmp_path / "both"
    both.mkdir()
    measured.write(both / "differences.csv", [difference])
    page = write_page([one, two], both).read_text()
    assert "0.125 [0.250, 0.750]" in page and "<th>one − two</th>" in page and "0.375 [0.250, 0.500]" in page


def test_runs_of_two_targets_through_one_generator_have_a_column_each(tmp_path, run_folder):
    folders = [run_folder(tmp_path / name) for name in ("early", "late")]
    for folder, value in zip(folders, (0.125, 0.625), strict=True):
        measured.write(folder / "measures.csv", [ONE | {"value": value}])
    about = json.loads((folders[1] / "manifest.json").read_text())
    about["target"]["name"] = "another"
    (folders[1] / "manifest.json").write_text(json.dumps(about))
    page = write_page(folders, tmp_path).read_text()
    assert "<th>early</th>" in page and "<th>late</th>" in page
    assert "0.125 [0.250, 0.750]" in page and "0.625 [0.250, 0.750]" in page
