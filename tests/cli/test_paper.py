"""`dgn paper`: its words, its list of steps, and the claims as they ship."""

import pytest

from dgn.base.errors import UserError
from dgn.base.folders import EXPERIMENTS
from dgn.cli import paper
from tests.cli.test_documented import check_run
from tests.commands import ROOT, run

PATHS = ["images=DIR", "places=DIR", "judge_weights=FILE"]


def test_words_with_an_equals_sign_are_settings():
    names, config, only_list = paper.request(["range", "images=/tmp/a b", "--list"])
    assert (names, config.images, only_list) == (["range"], "/tmp/a b", True)
    with pytest.raises(UserError, match="the paper has no claim 'rang'"):
        paper.request(["rang"])


def test_every_claim_has_its_experiment_and_every_experiment_a_claim():
    claims = paper.request([])[1].claims
    assert {claim.experiment for claim in claims.values()} == {path.stem for path in EXPERIMENTS.glob("paper/*.yaml")}


def test_every_need_of_a_claim_is_made_by_a_line():
    config = paper.request([])[1]
    assert {need for claim in config.claims.values() for need in claim.needs} == set(config.made)
    assert all(made.file.startswith(f"{name}/") for name, made in config.made.items())


def test_every_experiment_begins_with_its_claim():
    for path in sorted(EXPERIMENTS.glob("paper/*.yaml")):
        head = path.read_text().split("title:")[0]
        assert f"# dgn synthesize experiment=paper/{path.stem}" in head
        assert any(where in head for where in ("section ", "released code", "not in the paper"))
        assert "# Claim:" in head and "# Measured:" in head


def test_the_steps_that_are_left_are_listed_and_none_is_taken(tmp_path):
    (tmp_path / "docs").mkdir()
    out, _ = run("-m", "dgn", "paper", "range", "--list", *PATHS, cwd=tmp_path)
    assert out.splitlines()[0].startswith("3 steps are left, about 0.4 hours")
    assert "dgn synthesize experiment=paper/range" in out and [path.name for path in tmp_path.iterdir()] == ["docs"]
    _, err = run("-m", "dgn", "paper", "range", cwd=tmp_path, code=1)
    assert err == "error: judge_weights has no value: set judge_weights=FILE\n"


def test_without_a_clone_it_says_so(tmp_path):
    _, err = run("-m", "dgn", "paper", "range", *PATHS, cwd=tmp_path, code=1)
    assert err == "error: there is no folder docs: run dgn paper in a clone, or set docs=DIR\n"


def test_the_makefile_hands_its_words_on():
    text = (ROOT / "Makefile").read_text()
    assert "dgn paper $(ONLY)" in text and all(key in text for key in ("IMAGES", "PLACES", "JUDGE"))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["target.weights=runs/paper/vgg64/vgg64.safetensors", "network@target=vgg64"], "network@classifier=vgg64"),
        (["bundle=runs/paper/g_fc7/caffenet64-fc7-imagefolder.bundle.safetensors"], "encoder.layer=fc7"),
    ],
)
def test_a_network_that_is_missing_has_the_line_that_makes_it(tmp_path, words, line):
    _, err = run(ROOT / "synthesize.py", *words, "units=[1]", cwd=tmp_path, code=1)
    assert err.startswith("error: there is no runs/paper/") and err.count("\n") == 1
    assert all(part in err for part in (": make it by python train.py ", line, "data.root=DIR", " output=runs/paper/"))
    _, err = run(ROOT / "synthesize.py", "bundle=runs/other.safetensors", "units=[1]", cwd=tmp_path, code=1)
    assert "train.py" not in err


def test_every_line_that_makes_a_network_is_taken_by_its_command():
    config = paper.request(PATHS)[1]
    for made in config.made.values():
        words = [config.filled(word) for word in made.line.split()]
        assert words[0] == "train"
        check_run("train", words[1:])
