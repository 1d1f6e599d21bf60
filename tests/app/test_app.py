"""The explorer: its climb is the command's, what it shows can be typed, and in a browser it does what it says."""

import re
import shlex
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dgn import settings
from dgn.app import choices, stage
from dgn.base.errors import UserError
from dgn.report import results
from dgn.synthesis import interactive
from dgn.synthesis.api import configure, synthesize

ROOT = Path(__file__).parents[2]


@pytest.fixture
def watch(small_bundle, monkeypatch):
    """A climb of eight steps that shows every one of them."""
    monkeypatch.setattr(interactive, "EVERY", 0)

    def start(unit="lemon", *words):
        typed = [f"bundle={small_bundle}", f"units={choices.listed(unit)}", "seeds=1", "batch_size=1", "ascent.steps=8",
                 *words]  # fmt: skip
        return interactive.Live(configure(None, None, typed)[0])

    return start


def picture(folder):
    (path,) = (folder / "images").glob("*.png")
    return path.read_bytes()


def test_every_step_is_shown_and_the_result_is_that_of_the_command(watch, small_bundle, tmp_path):
    run = watch()
    *shots, last = run.shots()
    assert [len(shot.scores) for shot in shots] == list(range(1, 9))
    assert all(shot.row is None for shot in shots) and last.row.state == "done"
    assert (last.scores[:7] == shots[6].scores).all()
    assert len({shot.image.numpy().tobytes() for shot in shots}) == 8
    page = run.keep(tmp_path / "kept")
    words = [f"bundle={small_bundle}", "seeds=1", "batch_size=1", "ascent.steps=8"]
    synthesize("caffenet64", "lemon", *words, output=tmp_path / "typed")
    assert page == tmp_path / "kept" / "index.html" and page.exists()
    assert {p.name for p in (tmp_path / "kept").iterdir()} == {p.name for p in (tmp_path / "typed").iterdir()}
    assert picture(tmp_path / "kept") == picture(tmp_path / "typed")
    kept, typed = (settings.counted(settings.read(tmp_path / name)) for name in ("kept", "typed"))
    assert kept == typed | {"units": ["lemon"]}


def test_a_level_and_a_stimulus_are_those_of_the_command(watch, small_bundle, tmp_path, images_in):
    for name in ("one", "two"):
        images_in(tmp_path / "real/train" / name, 6, side=16)
        images_in(tmp_path / "real/val" / name, 6, first=50, side=16)
    more = [f"data.root={tmp_path / 'real'}", "objective=level", "objective.percentile=50", "stimulus=aperture"]
    run = watch("lemon", *more)
    *_, last = run.shots()
    assert last.row.score <= 0 and run.target.objective.levels["lemon"] is not None
    assert last.image[:, 0, 0].tolist() == [run.config.stimulus["aperture"]["grey"]] * 3
    run.keep(tmp_path / "kept")
    words = [f"bundle={small_bundle}", "seeds=1", "batch_size=1", "ascent.steps=8", *more]
    synthesize("caffenet64", "lemon", *words, output=tmp_path / "typed")
    assert picture(tmp_path / "kept") == picture(tmp_path / "typed")


@pytest.mark.parametrize("whole", [0.0625, 0.75])
def test_what_was_stopped_can_be_repeated(watch, tmp_path, whole):
    run = watch("lemon", f"ascent.full_view_fraction={whole}")
    shots = run.shots()
    for _ in range(3):
        next(shots)
    run.stop()
    *_, last = shots
    taken = last.row.steps
    assert 3 <= taken < 8
    assert run.changed["ascent.steps"] == taken
    assert run.changed["ascent.end"] == pytest.approx(0.5 - 0.5 * taken / 8)
    assert round(taken * run.changed["ascent.full_view_fraction"]) == (taken - 2 if whole == 0.75 else 0)
    again = watch("lemon", *(f"{key}={value}" for key, value in run.changed.items()))
    *_, repeated = again.shots()
    assert repeated.row.score == last.row.score and (repeated.image == last.image).all()
    run.keep(tmp_path / "kept")
    (row,) = results.read(tmp_path / "kept" / "results.csv")
    assert row.steps == taken and row.score == pytest.approx(last.row.score, rel=1e-5)


def test_a_closed_page_ends_its_climb(watch, monkeypatch):
    watches = []

    class Kept(interactive.Watch):
        def __init__(self, *words):
            super().__init__(*words)
            watches.append(self)

    monkeypatch.setattr(interactive, "Watch", Kept)
    run = watch("lemon", "ascent.steps=5000")
    shots = run.shots()
    next(shots)
    shots.close()  # returns when the climb has ended
    assert 1 <= watches[0].steps < 5000


def test_two_climbs_at_once_are_what_each_is_alone(watch):
    many = "ascent.steps=60"
    alone = {unit: list(watch(unit, many).shots())[-1] for unit in ("lemon", "goldfish")}
    runs = {unit: watch(unit, many) for unit in alone}
    ends = {unit: run.shots() for unit, run in runs.items()}
    first = next(ends["lemon"])
    together = {unit: list(ends[unit])[-1] for unit in ("goldfish", "lemon")}
    assert first.row is None
    for unit, last in alone.items():
        assert together[unit].row.score == last.row.score and (together[unit].image == last.image).all()


def test_nothing_is_kept_before_there_is_a_picture(watch, tmp_path):
    with pytest.raises(UserError, match="no picture yet"):
        watch().keep(tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    ("unit", "words", "sentence"),
    [
        ("lemmon", [], "did you mean 'lemon'"),
        ("0-3", [], "the explorer makes one picture at a time"),
        ("${oc.env:HOME}", [], "cannot contain"),
        (" ", [], "there is no unit"),
        ("0", ["target.layer=fc9"], "fc9"),
        ("conv5:3@9x9", [], "9x9"),
    ],
)
def test_a_mistake_is_one_sentence(watch, unit, words, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)) as error:
        watch(unit, *words)
    assert "\n" not in str(error.value)


@hypothesis.settings(max_examples=50)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12))
def test_a_unit_on_the_command_line_is_the_unit(unit):
    try:
        line = choices.command([f"units={choices.listed(unit)}"])
    except UserError:
        return
    *_, word = shlex.split(line)
    (value,) = settings.overrides([word])[0].value()
    assert str(value) == unit


@pytest.fixture(scope="module")
def offered():
    return choices.Choices(["prior.k=2"])


@pytest.mark.parametrize(
    ("units", "first"),
    [("12", "12"), ("lemon", "lemon"), ("[orange,lemon]", "orange"), ("[conv5:3@2x2]", "conv5:3@2x2")],
)
def test_the_page_begins_with_the_first_unit_that_is_typed(units, first):
    assert choices.Choices([f"units={units}"]).unit == first


def test_a_unit_that_is_in_no_list_stands_on_the_page():
    page = pytest.importorskip("dgn.app.page", reason="gradio is not installed: pip install -e .[app]")
    for unit in ("12", "conv5:12@2x2", "0.5*lemon+0.5*orange"):
        with page.gr.Blocks():
            assert page.subject(choices.Choices([f"units=[{unit}]"]))[2].value == unit


def test_no_unit_to_begin_with_is_a_sentence():
    with pytest.raises(UserError, match="there is no unit"):
        choices.Choices(["units=[]"])


def test_what_is_by_default_so_is_not_typed(offered):
    assert offered.networks[0] == "caffenet64" and "caffenet" not in offered.networks  # it has no weights here
    values = {"prior.k": 2.0, "ascent.step": 1.5, "start": "mean", "seed": None}
    assert offered.typed("caffenet64", "fc8", "school bus", values) == [
        "prior.k=2", "units=[school bus]", "seeds=1", "batch_size=1", "ascent.step=1.5", "start=mean"
    ]  # fmt: skip
    assert offered.typed("caffenet64", "conv5", "3", {"prior.k": 1}) == [
        "target.layer=conv5", "units=[3]", "seeds=1", "batch_size=1", "prior.k=1"
    ]  # fmt: skip


def test_the_unit_on_the_page_outdoes_a_file_of_units(tmp_path):
    (tmp_path / "units.txt").write_text("goldfish\n")
    asked = choices.Choices([f"units_file={tmp_path}/units.txt"])
    assert asked.compose(asked.typed("caffenet64", "fc8", "lemon", {})).units_file is None


@pytest.mark.parametrize(("word", "left"), [("prior=none", []), ("prior=shrink", ["prior.shrink=0.9"])])
def test_a_number_that_the_config_does_not_have_is_not_typed(word, left):
    without = choices.Choices([word])
    typed = without.typed("caffenet64", "fc8", "lemon", {"prior.k": 0.5, "prior.shrink": 0.9, "ascent.step": 0.5})
    assert typed == [word, "units=[lemon]", "seeds=1", "batch_size=1", *left]
    assert without.compose(typed).units == ["lemon"]


def test_a_start_brings_its_own_step(offered):
    assert offered.defaults("caffenet64")["ascent.step"] == 0.5
    assert offered.defaults("caffenet64", "examples")["ascent.step"] == 0.1
    near = {"start": "examples", "ascent.step": 0.1}
    assert offered.typed("caffenet64", "fc8", "lemon", near)[-1] == "start=examples"
    assert offered.typed("caffenet64", "fc8", "lemon", near | {"ascent.step": 0.5})[-1] == "ascent.step=0.5"
    back = choices.Choices(["start=examples"]).typed(
        "caffenet64", "fc8", "lemon", {"start": "noise", "ascent.step": 0.5}
    )
    assert back == ["units=[lemon]", "seeds=1", "batch_size=1", "start=noise"]


def test_how_long_a_climb_is_by_default_depends_on_the_network(offered):
    chosen = ("efficientnet_lite0", "classifier", "lemon")
    assert offered.defaults("caffenet64")["ascent.steps"] == 200
    assert offered.defaults("efficientnet_lite0")["ascent.steps"] == 400
    assert "ascent.steps" not in " ".join(offered.typed(*chosen, {"ascent.steps": 400}))
    assert offered.typed(*chosen, {"ascent.steps": 200})[-1] == "ascent.steps=200"
    assert choices.Choices(["ascent.steps=50"]).defaults("efficientnet_lite0")["ascent.steps"] == 50


def test_units_have_names_where_the_layer_has_classes(offered):
    assert "lemon" in offered.units("caffenet64", "fc8") and len(offered.units("caffenet64", "fc8")) == 200
    assert offered.units("caffenet64", "conv5") == [str(i) for i in range(128)]


@pytest.mark.parametrize(
    ("unit", "layer"), [("conv5:12@4x4", "conv5"), ("conv5:1-conv5:2", "conv5"), ("lemon", "fc8"), ("nolayer:3", "fc8")]
)
def test_the_layer_box_follows_a_unit_that_names_its_layer(offered, unit, layer):
    assert offered.layer_of("caffenet64", "fc8", unit) == layer
    assert offered.layer_of("caffenet64", "conv5", "12") == "conv5"


def test_visitors_compose_at_the_same_time(offered):
    def visitor(i):
        typed = [choices.listed(f"0.5*{n}+0.5*{i}") for n in range(8)]  # while another presses Start
        return typed[-1], offered.compose(["units=[lemon]", f"seed={i}"]).seed

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(visitor, range(12))) == [(f"[0.5*7+0.5*{i}]", i) for i in range(12)]


def test_the_curve_and_the_sentences_are_drawn_and_escaped(watch):
    *_, last = watch().shots()
    drawn = stage.stage(last, 8, "fc8")
    assert "fc8 lemon" in drawn
    assert 'data-steps="8" data-done="true"' in drawn and drawn.count("<polyline") == 1
    assert len(re.search(r'points="([^"]*)"', drawn)[1].split()) == 8
    assert "<b>" not in stage.said("<b>", mistake=True)


def test_help_answers_without_torch_and_gradio_and_a_missing_gradio_is_a_sentence(monkeypatch):
    code = "import sys; from dgn.cli import main\ntry: main(['app', '--help'])\nexcept SystemExit: pass\n"
    code += "sys.exit(bool({'torch', 'gradio'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "--host" in done.stdout
    from dgn.cli import app as command
    from dgn.cli import main

    monkeypatch.setattr(command, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=re.escape("pip install 'dgn[app]'")):
        main(["app"])


@pytest.fixture
def explorer(tmp_path):
    """The address of `dgn app`, as it is typed."""
    pytest.importorskip("gradio", reason="gradio is not installed: pip install -e .[app]")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["ascent.steps=1000"]  # long enough to be stopped on the way; nice, for the browser to keep up on one core
    call = ["nice", sys.executable, "-m", "dgn", "app", "--port", str(port), "--runs", str(tmp_path / "runs"), *words]
    with subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert f"http://127.0.0.1:{port}" in server.stdout.readline()
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.mark.slow
def test_the_page_answers_no_other_site(explorer):
    def status(path, data=None, **headers):
        try:
            asked = urllib.request.Request(explorer + path, data, headers)
            return urllib.request.urlopen(asked, timeout=30).status
        except urllib.error.HTTPError as error:
            return error.code

    assert status("/") == 200
    assert status("/", Host="localhost:7860") == 200  # through a tunnel
    assert status("/", Host="example.org:7860") == 400  # a site whose name leads here
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nmuch\r\n--x--\r\n'
    form = {"Content-Type": "multipart/form-data; boundary=x", "Origin": "http://example.org"}
    assert status("/gradio_api/upload", body, **form) == 413


def visit(browser, address, unit, asked):
    """A visitor's own page with a unit chosen; every request and every error in it goes to `asked`."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: asked.append(str(error)))
    page.goto(address)
    choose(page, unit)
    return page


def choose(page, unit):
    """Type a unit, again if the page was not yet listening: on a busy machine gradio shows its fields before that."""
    for attempt in range(4):
        page.locator("#unit input").fill(unit)
        page.locator("#unit input").press("Enter")
        try:
            page.wait_for_function(
                "unit => document.querySelector('#line textarea')?.value.includes(unit)", arg=unit, timeout=20_000
            )
            return
        except Exception as error:  # playwright's TimeoutError; playwright may not be installed
            if attempt == 3 or type(error).__name__ != "TimeoutError":
                raise


def state(page):
    """Steps, score and picture that the page shows."""
    shown = page.locator("#stage .stage")
    score = shown.locator(".score b").inner_text()
    return int(shown.get_attribute("data-steps")), float(score), shown.locator("img").get_attribute("src")


@pytest.mark.slow
def test_in_a_browser_two_visitors_watch_stop_and_keep(browser, explorer, tmp_path):
    asked = []
    page, other = (visit(browser, explorer, unit, asked) for unit in ("lemon", "goldfish"))
    page.click("#go")
    page.wait_for_selector("#stage [data-done=false]", timeout=240_000)
    early = state(page)
    other.click("#go")
    page.wait_for_function("+document.querySelector('#stage .stage').dataset.steps > 130", timeout=240_000)
    page.click("#stop")
    page.wait_for_selector("#stage [data-done=true]", timeout=240_000)
    late = state(page)
    assert 130 < late[0] < 1000 and late[1] != early[1] and late[2] != early[2]
    page.wait_for_selector("#keep:enabled")
    line = page.locator("#line textarea").input_value()
    assert page.locator("#told").inner_text() == "prior: caffenet64-fc6"
    page.click("#keep")
    page.wait_for_selector("#told .said:has-text('kept')")
    (kept,) = (tmp_path / "runs").iterdir()
    assert page.locator("#told").inner_text() == f"kept: {kept / 'index.html'}" and (kept / "index.html").exists()

    other.wait_for_selector("#stage [data-done=true]", timeout=240_000)
    assert "goldfish" in other.locator("#stage .known").inner_text() and state(other)[0] == 1000
    choose(other, "lemmon")
    other.click("#go")
    other.wait_for_selector("#told .mistake")
    assert "did you mean 'lemon'" in other.locator("#told").inner_text()

    words = shlex.split(line.removeprefix("dgn"))
    subprocess.run(
        [sys.executable, "-m", "dgn", *words, f"output={tmp_path / 'typed'}"], cwd=ROOT, check=True, timeout=400
    )
    assert picture(kept) == picture(tmp_path / "typed")
    with Image.open(next((kept / "images").glob("*.png"))) as image:
        assert image.size == (64, 64)
    assert [url for url in asked if not url.startswith((explorer, "data:", "blob:"))] == []
