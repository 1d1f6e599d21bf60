"""From finished runs to a table, a figure, a verdict and a page; and again from the tables alone."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from dgn.base.errors import UserError
from dgn.measures.intervals import Measure
from dgn.paper import page, settle, table
from dgn.paper.table import Analysis, Point
from tests.commands import table as rows_of
from tests.paper.conftest import CLAIM, KIND

DOCS = Path("docs")


def test_a_claim_is_settled_from_its_runs(paper, finished):
    assert settle.settle("a_claim", paper()) == "confirmed"
    rows = {row["measure"]: row for row in rows_of(DOCS / "paper/a_claim.csv")}
    assert list(rows) == [f"one: {KIND}", f"other: {KIND}", f"one − other: {KIND}"]
    assert rows[f"one − other: {KIND}"]["high"] == "-1"
    with Image.open(DOCS / "images/paper_a_claim.jpg") as image:
        assert image.width > image.height > 100
    read = {one.name: one for one in table.read(DOCS / "paper", "a_claim")}
    assert list(read) == list(rows) and read[f"one: {KIND}"].value == 1.5


def test_the_page_is_the_same_from_the_tables_alone(paper, finished):
    settle.settle("a_claim", paper())
    text = page.write(paper(), DOCS).read_text()
    shutil.rmtree("runs")
    assert page.write(paper(), DOCS).read_text() == text
    summary = next(line for line in text.splitlines() if line.startswith("| [One is better"))
    assert summary == (f"| [One is better than another.](#a_claim) | **confirmed** | `one − other: {KIND}` −1.50 "
                       "[−2.00, −1.00] | 40 | Its size. |")  # fmt: skip
    assert (
        "make paper ONLY=a_claim PLACES=MINIPLACES JUDGE=FILE" in text
        and "One is better than another.](images/paper_a_claim.jpg)" in text
    )
    assert "Not measured yet" not in text and "**In short.** Of 1 claims measured, 1 confirmed." in text


def test_a_claim_without_a_table_is_named_and_nothing_is_said_of_it(paper):
    text = page.write(paper(), DOCS).read_text()
    assert (
        "## Not measured yet" in text
        and "No claim is measured yet." in text
        and "PLACES=MINIPLACES JUDGE=FILE`: One is better" in text
        and "## a_claim" not in text
    )


def test_a_table_from_before_the_claim_had_another_effect_is_not_told(paper, finished):
    settle.settle("a_claim", paper())
    more = CLAIM | {"effects": [*CLAIM["effects"], {"name": "one − third: x", "claimed": "above"}]}
    assert "JUDGE=FILE`: One is better" in page.write(paper({"a_claim": more}), DOCS).read_text()


def test_an_effect_that_no_run_has_is_said(paper, finished):
    wrong = CLAIM | {"effects": [{"name": "one − third: x", "claimed": "above"}]}
    with pytest.raises(UserError, match="no run of the claim has the row 'one − third: x'"):
        settle.settle("a_claim", paper({"a_claim": wrong}))
    assert not (DOCS / "paper").exists()


def added(folder, settings, rows):
    """An analysis: the number of rows that it was given."""
    points = [Point("p", 1.0, 2.0, 1.5, float("nan"))]
    return Analysis([Measure("rows: count", len(rows), 2.5, 3.5, 40)], points, ("x", "y"))


def test_an_analysis_adds_rows_and_a_curve(paper, finished):
    claim = CLAIM | {
        "analysis": "tests.paper.test_page:added",
        "effects": [{"name": "rows: count", "claimed": "above"}],
    }
    assert settle.settle("a_claim", paper({"a_claim": claim})) == "confirmed"
    assert rows_of(DOCS / "paper/a_claim.csv")[-1]["value"] == "3"
    assert rows_of(DOCS / "paper/a_claim.points.csv") == [
        {"name": "p", "x": "1", "y": "2", "low": "1.5", "high": "", "series": ""}
    ]


def test_claims_of_the_same_runs_and_measures_share_a_table_and_a_figure(paper, finished):
    opposite = CLAIM | {"claim": "The other is.", "effects": [{"name": f"one − other: {KIND}", "claimed": "above"}]}
    both = paper({"a_claim": CLAIM, "opposite": opposite})
    assert settle.settle("opposite", both) == "refuted"
    assert not (DOCS / "paper/opposite.csv").exists() and not (DOCS / "images/paper_opposite.jpg").exists()
    text = page.write(both, DOCS).read_text()
    assert "| **confirmed** |" in text and "| **refuted** |" in text
    assert "The figure is that of [a_claim](#a_claim)." in text and "paper/opposite.csv" not in text
