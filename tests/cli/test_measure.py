"""`dgn measure`: its words, and whole runs measured in a folder."""

import json

import pytest

import dgn
from dgn.base.errors import UserError
from dgn.cli import measure
from dgn.measures.settings import MeasureSettings
from dgn.settings.check import check
from tests.commands import run, table
from tests.run_folders import write_run

KINDS = ["recognised/my_pkg.MyNet/top1", "recognised/my_pkg.MyNet/top1/real", "driven/percentile",
         "driven/low_percentile", "natural/kid/my_pkg.MyNet:fc", "various/features/my_pkg.MyNet:fc"]  # fmt: skip
NAMES = ["goldfish", "lemon", *(f"other {i}" for i in range(18))]


def test_words_with_an_equals_sign_are_settings_unless_there_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prior.k=1").mkdir()
    runs, composed = measure.request(["prior.k=1", "out", "per_class=3", "data.root=/tmp/a b"])
    assert [str(one) for one in runs] == ["prior.k=1", "out"]
    assert (composed.config.per_class, composed.config.data.root) == (3, "/tmp/a b")


def test_any_number_of_judges_are_chosen_by_names_of_ones_own():
    words = ["network@judge=caffenet64", "network@judges.b=squeezenet1_1", "judges.b.weights=~/w.pt",
             "judges.c._target_=my_pkg.MyNet", "judges.c.args.classes=7", "judges.c.classes=[1,2 3]"]  # fmt: skip
    config = check(measure.request(["out", *words])[1], MeasureSettings)
    assert config.judge is not None and list(config.judges) == ["b", "c"]
    assert config.judges["b"].name == "squeezenet1_1" and not str(config.judges["b"].weights).startswith("~")
    assert config.judges["c"].builder == "my_pkg.MyNet" and config.judges["c"].args == {"classes": 7}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["out", "per_class=0"], "per_class=0 is out of range"),
        (["out", "measures=[naturel]"], "has no measure 'naturel': did you mean 'natural'?"),
        (["out", "network@judge=squeezenet1_1"], "judge.weights has no value"),
        (["out", "judges.b.weights=x"], "judges"),
        (["out", "measures=natural"], "measures=natural is not a list: set measures to a list, [natural]"),
        (["out", "lpips.backbone=resnet"], "lpips.backbone=resnet is not a valid choice"),
        (["out", "seeds=3"], "there is no key 'seeds'"),
        (["out", "measure=[recognised]"], "there is no key 'measure'"),
    ],
)
def test_a_mistake_in_a_setting_is_one_sentence(words, sentence):
    with pytest.raises(UserError, match=r"^[^\n]*$") as told:
        check(measure.request(words)[1], MeasureSettings)
    assert sentence in str(told.value)


def test_without_a_run_or_with_a_run_twice_it_says_so(tmp_path):
    for words in ([], ["per_class=3"]):
        _, err = run("-m", "dgn", "measure", *words, code=1)
        assert err == "error: no run is given: dgn measure RUN, the folder of a finished run\n"
    folder = write_run(tmp_path / "run")
    _, err = run("-m", "dgn", "measure", folder, folder, code=1)
    assert "given twice" in err and not (folder / "measures.csv").exists()


def test_a_folder_without_target_judge_or_images_has_a_table_of_reasons(tmp_path):
    folder = write_run(tmp_path / "run")
    done = dgn.measure(folder)
    rows = {row["measure"]: row for row in table(folder / "measures.csv")}
    assert [one.name for one in done.runs["run"]] == list(rows)
    assert rows["recognised/target/top1"]["value"] == "0.5" and rows["recognised/target/top1"]["n"] == "4"
    reasons = [row["note"] for row in rows.values() if not row["value"]]
    assert len(reasons) > 4 and all(reasons)
    assert "measures, with 95 % intervals" in (folder / "index.html").read_text()
    assert done.table()[0]["run"] == "run" and "recognised/target/top1" in str(done)


def test_what_was_measured_before_stays_beside_what_is_measured_now(tmp_path):
    folder = write_run(tmp_path / "run")
    dgn.measure(folder, measures=["various", "repeated"])
    before = table(folder / "measures.csv")
    done = dgn.measure(folder, measures=["recognised", "repeated"])
    assert [one.name.partition("/")[0] for one in done.runs["run"]].count("various") == 0
    rows = table(folder / "measures.csv")
    kinds = [row["measure"].partition("/")[0] for row in rows]
    assert rows[: kinds.index("recognised")] == [row for row in before if row["measure"].startswith("various")]
    assert len({row["measure"] for row in rows}) == len(rows) and set(kinds) == {"various", "recognised", "repeated"}
    (folder / "measures.csv").write_text("measure,value\nrecognised/target/top1,many\n")
    dgn.measure(folder, measures=["repeated"])
    assert {row["measure"].partition("/")[0] for row in table(folder / "measures.csv")} == {"repeated"}


def test_pictures_that_were_not_kept_are_refused(tmp_path):
    folder = write_run(tmp_path / "run")
    kept = dgn.Pictures.read(folder, folder / "index.html")
    assert dgn.measure(kept, measures=["various"]).runs.keys() == {"run"}
    with pytest.raises(UserError, match=r"have no folder: call dgn\.synthesize.*output=DIR"):
        dgn.measure(dgn.Pictures.read(folder))


LOGGER = """
import json

from dgn.loggers import Log


class Figures(Log):
    name = "figures"

    def log_metrics(self, metrics, step=None):
        pass

    def measures(self, values):
        (self.folder / "figures.json").write_text(json.dumps(values))
"""


@pytest.fixture
def two_runs(users_folder, small_bundle, images_in):
    """Runs through a small G and over pixels, real images of their classes, and the words of a judge."""
    for c, wnid in enumerate(("n01443537", "n07749582", "n03337140")):  # goldfish, lemon and another
        images_in(users_folder / "data" / "train" / wnid, 3, first=10 * c, side=16)
        images_in(users_folder / "data" / "val" / wnid, 4, first=10 * c + 5, side=16)
    (users_folder / "my_figures.py").write_text(LOGGER)
    words = ["logger._target_=my_figures.Figures", "units=[goldfish,lemon,-lemon]", "seeds=2", "ascent.steps=3",
             "batch_size=8"]  # fmt: skip
    pixels = ["generator=pixels"]
    for name, more in (("codes", [f"bundle={small_bundle}", "data.root=data"]), ("pixels", pixels)):
        run("-m", "dgn", "synthesize", *words, *more, f"output={name}", cwd=users_folder)
    return users_folder, ["judge._target_=my_pkg.MyNet", f"judge.classes=[{','.join(NAMES)}]", "judge.input.size=16"]


@pytest.mark.slow
def test_two_runs_are_measured_and_compared(two_runs):
    folder, judge = two_runs
    out, _ = run("-m", "dgn", "measure", "codes", "pixels", *judge, "per_class=3", "output=both", cwd=folder)
    assert "real images: those of the run, data" in out and "codes minus pixels" in out
    for name in ("codes", "pixels"):
        rows = {row["measure"]: row for row in table(folder / name / "measures.csv")}
        for kind in KINDS:
            low, value, high = (rows[kind][key] for key in ("low", "value", "high"))
            assert "no interval" in rows[kind]["note"] if low == "" else float(low) <= float(value) <= float(high)
        assert rows["recognised/target/top1"]["n"] == "4" and rows["driven/low_percentile"]["n"] == "2"
        assert "images for 8 features" in rows["natural/fd/my_pkg.MyNet:fc"]["note"]
        logged = json.loads((folder / name / "figures.json").read_text())
        assert logged.keys() == {kind for kind, row in rows.items() if row["value"]}, "those that have a value"
        assert "recognised/my_pkg.MyNet/top1/real" in (folder / name / "index.html").read_text()
    apart = table(folder / "both" / "differences.csv")
    assert {(row["first"], row["second"]) for row in apart} == {("codes", "pixels")}
    assert "codes − pixels" in (folder / "both" / "index.html").read_text()

    config = folder / "codes" / "config.yaml"
    config.write_text(config.read_text().replace("caffenet64.safetensors", "caffenet65.safetensors"))
    run("-m", "dgn", "measure", "codes", *judge, "measures=[driven]", cwd=folder)
    rows = {row["measure"]: row for row in table(folder / "codes" / "measures.csv")}
    assert "caffenet65" in rows["driven/percentile"]["note"], "what is gone since the run is said in the table"
    _, err = run("-m", "dgn", "measure", "codes", *judge, "data.root=nowhere", cwd=folder, code=1)
    assert err.startswith("error: nowhere does not exist")
    _, err = run("-m", "dgn", "measure", "pixels", "network@judge=caffenet64", cwd=folder, code=1)
    assert "caffenet64 is also the target of pixels, so it cannot judge" in err
