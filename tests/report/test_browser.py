"""The pages in a real browser, opened from disk."""

import math
from dataclasses import replace
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

import dgn
from dgn import report
from dgn.report import results
from dgn.sweeps.page import write_sweep

pytestmark = pytest.mark.slow


@pytest.fixture
def visit(browser):
    """Open a page from disk; whatever it asked for beyond itself, and every error in it, fails the test."""
    asked, errors, opened = [], [], []

    def go(path, width=1280, height=900, **more):
        page = browser.new_page(viewport={"width": width, "height": height}, **more)
        opened.append((page, path.as_uri()))
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(path.as_uri())
        return page

    yield go
    own = {url for _, url in opened}
    assert [url for url in asked if not url.startswith("data:") and url not in own] == []
    assert errors == []
    for page, _ in opened:
        page.close()


def names(page):
    return page.locator("article:visible h3 > :first-child").all_text_contents()


def active(page):
    return page.locator(".axis.active").inner_text().split()


def sources(page, unit):
    return page.locator(f"[data-unit='{unit}'] img").evaluate_all("all => all.map(img => img.src)")


@pytest.fixture
def run_page(tmp_path, run_folder):
    """The page of two runs with the same target, whose units are partly the same."""
    a = run_folder(tmp_path / "small_steps", ("goldfish", "lemon", "school bus"), score=10)
    b = run_folder(tmp_path / "large_steps", ("goldfish", "lemon"), score=20)
    return report.write_page([a, b], tmp_path, "Steps")


def test_a_run_s_page_is_searched_and_sorted(visit, run_page):
    page = visit(run_page)
    assert names(page) == ["goldfish", "lemon", "school bus"]
    assert page.locator("#count").inner_text() == "3 of 3 units"
    page.select_option("#sort", "score")
    assert names(page) == ["school bus", "lemon", "goldfish"]
    page.keyboard.press("/")
    page.keyboard.type("BUS")
    assert names(page) == ["school bus"] and page.locator("#count").inner_text() == "1 of 3 units"
    page.keyboard.press("Escape")
    assert len(names(page)) == 3
    assert page.evaluate("[...document.images].every(img => img.naturalWidth > 0)")


@pytest.mark.parametrize("width", [1280, 1150, 900, 700])
def test_six_real_images_are_in_one_row(visit, tmp_path, run_folder, width):
    run = run_folder(tmp_path / "a", ("goldfish", "lemon"))
    rows = (f"goldfish,{place},2.5,x.png,images/00000-goldfish-0.png\n" for place in range(1, 7))
    (run / "real.csv").write_text("unit,place,score,name,image\n" + "".join(rows))
    page = visit(report.write_page([run], tmp_path, "T"), width=width)
    tops = page.locator(".real figure").evaluate_all("all => all.map(figure => figure.offsetTop)")
    assert len(tops) == 6 and len(set(tops)) == 1


def test_two_runs_stand_side_by_side(visit, run_page):
    page = visit(run_page)
    card = page.locator("article").filter(has_text="goldfish")
    assert card.locator(".strip > b").all_inner_texts() == ["small steps", "large steps"]
    left, right = (card.locator(".strip").nth(i).bounding_box() for i in (0, 1))
    assert left["y"] == right["y"] and left["x"] + left["width"] < right["x"]


def test_a_sweep_s_sliders_and_keys_change_the_pictures(visit, sweep_folder):
    write_sweep(sweep_folder)
    page = visit(sweep_folder / "index.html")
    first = sources(page, "lemon")
    assert len(first) == 2 and active(page)[0] == "prior.k"
    page.keyboard.press("ArrowRight")
    assert active(page) == ["prior.k", "10"] and sources(page, "lemon") != first
    assert page.locator("[data-unit='school bus'] .none").count() == 2  # failed at this setting
    assert "failed: there is no unit '</script>'" in page.locator(".said [data-side=A]").inner_text()
    page.keyboard.press("ArrowRight")
    assert active(page) == ["prior.k", "10"]  # the last one
    page.locator(".side[data-side=A] input[type=range]").fill("0")
    assert sources(page, "lemon") == first
    page.keyboard.press("ArrowDown")
    assert active(page)[0] == "ascent"
    page.locator(".side[data-side=A] select").select_option(label="adam")
    assert sources(page, "lemon") != first


def test_the_arrow_keys_are_those_of_the_control_that_has_the_focus(visit, sweep_folder):
    write_sweep(sweep_folder)
    page = visit(sweep_folder / "index.html")
    page.focus("#sort")
    page.keyboard.press("ArrowDown")
    assert page.locator("#sort").input_value() == "name" and active(page)[0] == "prior.k"
    page.focus(".side[data-side=A] input[type=range]")
    page.keyboard.press("Tab")
    assert active(page)[0] == "ascent"
    page.keyboard.press("ArrowRight")
    assert page.locator(".side[data-side=A] select").input_value() == "1"
    assert page.locator(".side[data-side=A] output").inner_text() == "1"  # prior.k, as before


def test_a_sweep_s_settings_stand_side_by_side(visit, sweep_folder):
    write_sweep(sweep_folder)
    page = visit(sweep_folder / "index.html")
    page.keyboard.press("c")
    boxes = [page.locator(f"[data-unit=lemon] .pictures[data-side={side}]") for side in "AB"]
    left, right = (box.bounding_box() for box in boxes)
    assert left["y"] == right["y"] and left["x"] < right["x"]
    a, b = (box.locator("img").first.get_attribute("src") for box in boxes)
    page.keyboard.press("b")
    page.keyboard.press("ArrowLeft")
    assert boxes[0].locator("img").first.get_attribute("src") == a
    assert boxes[1].locator("img").first.get_attribute("src") != b
    page.select_option("#sort", "change")
    assert sorted(names(page)) == ["goldfish", "lemon", "school bus"]
    page.locator("tbody tr").nth(2).click()  # a point of the table is shown on the side that the keys move
    assert page.locator(".side[data-side=B] output").inner_text() == "10"


def test_a_sweep_with_scores_that_are_not_finite_is_shown_and_sorted(visit, sweep_folder):
    rows = results.read(sweep_folder / "p0/results.csv")
    lost = [replace(row, score=math.nan, state="dead") for row in rows if row.unit == "goldfish"]
    results.write(sweep_folder / "p0/results.csv", [*lost, *rows[len(lost) :]])
    write_sweep(sweep_folder)
    page = visit(sweep_folder / "index.html")
    assert page.locator("[data-unit=goldfish] figcaption").first.inner_text() == "dead"
    page.select_option("#sort", "score")
    assert names(page) == ["school bus", "lemon", "goldfish"]
    page.select_option("#sort", "change")
    assert sorted(names(page)) == ["goldfish", "lemon", "school bus"]


def test_a_unit_is_shown_at_every_setting(visit, sweep_folder):
    write_sweep(sweep_folder)
    page = visit(sweep_folder / "index.html")
    page.get_by_role("button", name="goldfish").click()
    dialog = page.locator("dialog")
    assert dialog.locator("img").count() == 8
    assert dialog.locator("tr").first.locator("th").all_inner_texts() == ["ascent", "prior.k 1", "prior.k 10"]
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    page.get_by_role("button", name="mean score").click()
    scores = page.locator("tbody tr td:nth-child(6)").all_inner_texts()
    assert scores == sorted(scores, key=lambda text: float(text or "inf")) and scores[0] == "11.5"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_of_a_narrow_screen(visit, run_page, sweep_folder, scheme):
    write_sweep(sweep_folder)
    for path in (run_page, sweep_folder / "index.html"):
        page = visit(path, 360, 640, color_scheme=scheme)
        page.keyboard.press("c")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert all(image.bounding_box()["width"] >= 100 for image in page.locator("article img").all())


def test_of_four_thousand_rows_those_in_view_are_drawn(visit, tmp_path, run_folder, monkeypatch):
    random = np.random.default_rng(0)
    pictures = [Image.fromarray(random.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize((64, 64)) for _ in range(50)]
    monkeypatch.setitem(run_folder.__globals__, "PICTURES", pictures)
    units = tuple(f"unit {i}" for i in range(1000))
    path = report.write_page([run_folder(tmp_path / "atlas", units, seeds=4)], tmp_path / "atlas", "Atlas")
    page = visit(path)
    assert page.locator("article img").first.evaluate("img => img.decode().then(() => img.naturalWidth)") == 64
    assert page.locator("#count").inner_text() == "1000 of 1000 units"
    drawn = "[...document.querySelectorAll('article h3')].filter(h => h.checkVisibility({contentVisibilityAuto: true}))"
    assert 0 < page.evaluate(f"{drawn}.length") < 100
    page.fill("#filter", "unit 777")
    assert names(page) == ["unit 777"]
    link = page.locator("article:visible a").first.get_attribute("href")  # to the whole picture
    assert (path.parent / unquote(link)).exists()


def test_a_search_s_page_shows_every_picture_and_its_curve(visit, small_bundle, tmp_path):
    pytest.importorskip("cma", reason="cma is not installed: pip install 'dgn[search]'")
    settings = {"population": 4, "prior": "box", "ascent": {"steps": 2}}
    search = dgn.Search(str(small_bundle), output=tmp_path / "cell", **settings)
    search.tell([1, 2, 3, math.nan])
    page = visit(search.page(), width=420)
    widths = page.locator("figure img").evaluate_all("all => all.map(img => img.naturalWidth)")
    assert len(widths) == 6 and all(widths)
    assert page.locator(".curve svg").bounding_box()["height"] > 100
    assert page.evaluate("document.documentElement.scrollWidth") <= 420  # nothing sticks out on a phone
