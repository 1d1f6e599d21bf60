"""The page of a search: what it shows, and when."""

import re

import pytest

import dgn
from dgn.base.errors import UserError
from tests.commands import table

pytest.importorskip("cma", reason="cma is not installed: pip install 'dgn[search]'")
NAN = float("nan")


@pytest.fixture
def search(small_bundle, tmp_path):
    words = {"population": 4, "units": 2, "prior": "box", "ascent": {"steps": 3}, "stimulus": "grey"}
    return dgn.Search(str(small_bundle), output=tmp_path / "a<b>", **words)


def scores(drawn):
    return re.findall(r"<figcaption>([-\d.–]+)</figcaption>", drawn)


def test_a_page_has_each_unit_with_its_pictures_curve_and_last_generation(search, tmp_path):
    with pytest.raises(UserError, match="no generation was told yet"):
        search.page()
    search.tell([0.25, 0.5, NAN, 0.75, 10, 30, 20, 40])
    page = search.page()
    assert page == tmp_path / "a<b>/index.html"
    drawn = page.read_text()
    assert "<h1>Search a&lt;b&gt;</h1>" in drawn
    assert "generation 1 of 3: 8 pictures shown, 1 of them without a score" in drawn
    assert "on the responses that were measured. The search started from" in drawn and "is grey" in drawn
    assert drawn.count('class="mean" points') == 2 and "12 pictures shown" in drawn  # of each unit
    assert scores(drawn) == ["0.75", "0.50", "0.25", "–", "40.00", "30.00", "20.00", "10.00"]
    assert drawn.count("data:image/webp") == 8 and drawn.count("data:image/png") == 4
    assert "around which the next ones are drawn" in drawn and str(tmp_path) not in drawn


def test_it_follows_the_search_and_is_the_same_after_a_crash(search, tmp_path):
    for value in (1, 2, 3):
        search.tell([value + i / 10 for i in range(8)])
    drawn = search.page().read_text()
    assert "generation 3 of 3" in drawn and "around which" not in drawn
    kept = [float(row["unit_1"]) for row in table(tmp_path / "a<b>/curve.csv")]
    assert kept == pytest.approx([1.55, 2.55, 3.55], abs=1e-9)
    again = dgn.Search.resume(tmp_path / "a<b>")
    assert again.scores.equal(search.scores) and again.page().read_text() == drawn
