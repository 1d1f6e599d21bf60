"""The sheet for people: what the page holds and what it must not, the key apart from it, the scoring, and the page."""

import base64
import io
import json
import re

import pytest
import torch
from PIL import Image

from dgn.base.errors import UserError
from dgn.measures import sheet, two_alternative
from dgn.measures.trials import References, Trials
from tests.measures.conftest import make_rows

UNITS = ["</script><b>&'\"", "conv5:7", "lemon", "/home/someone/direction.npy"]


def flat(value, count=1):
    return torch.full((count, 3, 4, 4), value / 255)


def trial(number, unit):
    """References and queries of one grey value each: the value says what a picture is."""
    base = 40 * number
    natural = References(flat(base + 1, 9), flat(base + 2, 9))
    synthetic = References(flat(base + 3, 9), flat(base + 4, 9))
    return Trials(unit, natural, synthetic, torch.stack([flat(base + 5, 2), flat(base + 6, 2)], 1))


@pytest.fixture
def written(subject, tmp_path):
    """A sheet of four units: the run, the page's text, its data and the key."""

    def build(seed=0, above=(50.0, 100.0)):
        made = subject(make_rows(["apple"], 1))
        task = made.settings.two_alternative.model_copy(update={"seed": seed, "above": list(above)})
        made.settings.__dict__["two_alternative"] = task
        path = sheet.write([trial(i, unit) for i, unit in enumerate(UNITS)], made, str(tmp_path / "handed out"))
        text = path.read_text()
        found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
        data = json.loads(found[1])
        return made, path, text, data, json.loads(sheet.key_path(made, data["sheet"]).read_text())

    return build


def value(uri):
    """The grey value of a picture of one."""
    head, data = uri.split(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data))).getpixel((0, 0))[0]


def answers_file(folder, number, answers, name="answers.json"):
    path = folder / name
    path.write_text(json.dumps({"sheet": number, "answers": answers, "seconds": [1.5] * len(answers)}))
    return str(path)


def people(made, place):
    made.settings.__dict__["answers"] = place
    return {one.name.split("/")[2]: one.told() for one in sheet.people(made)}


def test_every_question_shows_its_references_and_the_key_says_which_query_is_right(written):
    _, _, _, data, key = written()
    assert len(data["questions"]) == len(key["questions"]) == 4
    for shown, right in zip(data["questions"], key["questions"], strict=True):
        base = 40 * UNITS.index(right["unit"])
        first = 1 if right["kind"] == "natural" else 3
        assert [value(uri) for uri in shown["above"]] == [base + first] * 9
        assert [value(uri) for uri in shown["below"]] == [base + first + 1] * 9
        assert value(shown["queries"][right["right"]]) == base + 5
        assert value(shown["queries"][1 - right["right"]]) == base + 6
    assert sorted(one["unit"] for one in key["questions"]) == sorted(UNITS)
    assert [one["kind"] for one in key["questions"]].count("natural") == 2


def test_the_page_tells_neither_units_nor_answers_nor_folders(written, tmp_path):
    _, path, text, data, _ = written()
    assert set(data) == {"sheet", "questions"}
    assert all(set(one) == {"above", "below", "queries"} for one in data["questions"])
    assert not any(unit in text for unit in (*UNITS, "synthetic", "natural", str(tmp_path), "/home"))
    assert [one.name for one in path.parent.iterdir()] == [f"sheet-{data['sheet']}.html"]


def test_the_seed_draws_order_sides_and_kinds_and_gives_the_same_sheet_again(written):
    (_, _, one, _, key), (_, _, same, _, again), (_, _, other, _, further) = written(0), written(0), written(1)
    assert one == same and key == again
    assert one != other and key["sheet"] != further["sheet"]
    sides = {tuple(question["right"] for question in written(seed)[4]["questions"]) for seed in range(8)}
    assert len(sides) > 3


def test_answers_are_scored_by_kind_and_what_was_not_answered_does_not_count(written, tmp_path):
    made, _, _, _, key = written()
    right = [one["right"] for one in key["questions"]]
    found = people(made, answers_file(tmp_path, key["sheet"], right))
    assert [(found[kind].value, found[kind].n) for kind in sheet.KINDS] == [(1, 2), (1, 2)]
    wrong = [1 - one["right"] if one["kind"] == "natural" else None for one in key["questions"]]
    found = people(made, answers_file(tmp_path, key["sheet"], wrong))
    assert (found["natural"].value, found["natural"].n) == (0, 2)
    assert list(found) == ["natural"]
    made.settings.__dict__["answers"] = answers_file(tmp_path, key["sheet"], [None] * 4)
    (none,) = sheet.people(made)
    assert none.told().note == "no question was answered"


def test_a_folder_of_answers_to_several_sheets_is_scored_together(written, tmp_path):
    folder = tmp_path / "answers"
    folder.mkdir()
    for seed in (0, 1):
        made, _, _, _, key = written(seed)
        answers_file(folder, key["sheet"], [one["right"] for one in key["questions"]], f"{seed}.json")
    found = people(made, str(folder))
    assert found["natural"].n == found["synthetic"].n == 4 and found["natural"].note == "2 files of answers"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not a file of answers"),
        ('{"sheet": "../../etc/passwd", "answers": [], "seconds": []}', "is not the number of a sheet"),
        ('{"sheet": "abc", "answers": [], "seconds": []}', "measure the run that the sheet was made from"),
        ('{"sheet": "abc", "answers": [2], "seconds": []}', r"answers\.0"),
        ('{"sheet": "abc", "answers": []}', "seconds"),
    ],
)
def test_what_is_no_file_of_answers_is_one_sentence(written, tmp_path, text, said):
    made = written()[0]
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(UserError, match=said):
        people(made, str(tmp_path / "bad.json"))


def test_a_file_that_is_missing_an_empty_folder_and_too_few_answers_are_told(written, tmp_path):
    made, _, _, _, key = written()
    (tmp_path / "empty").mkdir()
    for place, said in ((tmp_path / "none.json", "there is no"), (tmp_path / "empty", "there are no answers")):
        with pytest.raises(UserError, match=said):
            people(made, str(place))
    with pytest.raises(UserError, match="3 answers to 4 questions"):
        people(made, answers_file(tmp_path, key["sheet"], [0, 0, 0]))


def test_the_measure_writes_the_sheet_where_it_is_asked_to(subject, tmp_path):
    units = ["apple", "-apple", "bread", "-bread"]
    made = subject(make_rows(units, 2))
    made.settings.__dict__["sheet"] = str(tmp_path / "out")
    two_alternative.measure(made)
    (page,) = (tmp_path / "out").iterdir()
    (key,) = made.run.folder.glob("sheet-*.key.json")
    assert page.stem == key.name.removesuffix(".key.json")


def test_answers_to_sheets_of_other_percentiles_stand_apart(written, tmp_path):
    folder = tmp_path / "answers"
    folder.mkdir()
    for seed, above in ((0, [50.0, 100.0]), (1, [60.0, 80.0])):
        made, _, _, _, key = written(seed, above)
        answers_file(folder, key["sheet"], [one["right"] for one in key["questions"]], f"{seed}.json")
    made.settings.__dict__["answers"] = str(folder)
    assert [one.name.removeprefix("two_alternative/people/") for one in sheet.people(made)] == [
        "natural/0-50_50-100", "natural/0-50_60-80", "synthetic/0-50_50-100", "synthetic/0-50_60-80",
    ]  # fmt: skip


# ---- in the browser


@pytest.fixture
def visit(browser, written):
    """The sheet in the browser; what it asks for beyond itself, and every error in it, fails the test."""
    asked, errors = [], []
    made, path, _, data, key = written()
    page = browser.new_page(viewport={"width": 1100, "height": 800}, accept_downloads=True)
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(path.as_uri())
    yield page, made, data, key
    assert [url for url in asked if not url.startswith(("data:", "blob:", path.as_uri()))] == []
    assert errors == []
    page.close()


def drawn(page):
    """Wait until the question's pictures are drawn; no eval of the page's own, which its policy forbids."""
    for _ in range(100):
        if page.evaluate("since") > 0:
            return
        page.wait_for_timeout(50)
    raise AssertionError("the pictures were not drawn in five seconds")


def saved(page, folder):
    """The file that the page saves; after it the page may be closed."""
    assert page.evaluate("saved") is False
    with page.expect_download() as download:
        page.click("#save")
    assert re.fullmatch(r"answers-[0-9a-f]{12}-[0-9a-f]{4}\.json", download.value.suggested_filename)
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    assert page.evaluate("saved") is True
    return path


@pytest.mark.slow
def test_a_person_answers_by_mouse_and_keys_and_the_command_scores_what_was_saved(visit, tmp_path):
    page, made, _, key = visit
    page.click("#begin")
    for i, question in enumerate(key["questions"]):
        assert page.locator("#count").inner_text() == f"{i + 1} of 4"
        assert page.locator("#above img").count() == page.locator("#below img").count() == 9
        drawn(page)
        assert page.evaluate("[...document.querySelectorAll('#question img')].every(img => img.naturalWidth === 4)")
        if i % 2:
            page.click(("#first", "#second")[question["right"]])
        else:
            page.keyboard.press(("ArrowLeft", "ArrowRight")[question["right"]])
    assert page.locator("#said").inner_text().startswith("You answered 4 of 4")
    found = people(made, str(saved(page, tmp_path)))
    assert [(found[kind].value, found[kind].n) for kind in sheet.KINDS] == [(1, 2), (1, 2)]


@pytest.mark.slow
def test_who_stops_early_saves_what_was_answered(visit, tmp_path):
    page, _, _, key = visit
    page.click("#begin")
    drawn(page)
    page.click("#second")
    drawn(page)
    page.click("#stop")
    given = json.loads(saved(page, tmp_path).read_text())
    assert given["sheet"] == key["sheet"] and given["answers"] == [1, None, None, None]
    assert given["seconds"][0] >= 0 and given["seconds"][1:] == [None] * 3


@pytest.mark.slow
def test_who_stops_by_mistake_goes_on_where_they_were(visit, tmp_path):
    page, *_ = visit
    page.click("#begin")
    drawn(page)
    page.click("#first")
    drawn(page)
    page.click("#stop")
    page.keyboard.press("ArrowRight")  # no question is shown
    page.click("#on")
    for _ in range(3):
        drawn(page)
        page.keyboard.press("ArrowRight")
    assert page.locator("#said").inner_text().startswith("You answered 4 of 4") and page.locator("#on").is_hidden()
    assert json.loads(saved(page, tmp_path).read_text())["answers"] == [0, 1, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(1100, 800), (1366, 620), (390, 760)])
def test_a_question_fits_on_one_screen(visit, width, height):
    page, *_ = visit
    page.set_viewport_size({"width": width, "height": height})
    page.click("#begin")
    drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for query in ("#first", "#second"):
        box = page.locator(query).bounding_box()
        assert box["y"] + box["height"] <= height and box["width"] >= 80
