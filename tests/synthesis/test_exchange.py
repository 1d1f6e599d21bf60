"""Pictures and scores as files: what is read, and what is waited for."""

import math
import threading
import time

import pytest
import torch

from dgn.base import images
from dgn.base.errors import UserError
from dgn.synthesis import exchange
from dgn.synthesis.exchange import Exchange, read
from tests.commands import run, table

NAMES = ["000.png", "001.png", "002.png"]


def written(folder, text):
    (folder / "scores.csv").write_text(text)
    return folder / "scores.csv"


def test_measurements_of_one_picture_are_averaged(tmp_path):
    file = written(tmp_path, "picture,score\n001.png, 2\n000.png,1\n\n002.png,\n001.png,4\n000.png,nan\n")
    found = read(file, NAMES)
    assert found[:2].tolist() == [1, 3] and math.isnan(found[2])


@pytest.mark.parametrize(("text", "sentence"), [
    ("picture,score\n000.png,1\n001.png,2\n002.png,12.", "does not end with a line break, so it may not be complete"),
    ("picture,score\n000.png,1\n001.png,2\n", r"has 2 of 3 pictures, and 002\.png is not among them"),
    ("000.png,1\n001.png,2\n002.png,3\n", "the first line of .* is not picture,score"),
    ("", "does not end with a line break"),
    ("picture,score\n003.png,1\n", r"line 2 of .* names '003\.png', which is no picture of this generation"),
    ("picture,score\n000.png,high\n", "line 2 of .* has the score 'high': write a number"),
    ("picture,score\n000.png,inf\n", "write a finite number"),
    ("picture,score\n000.png,1,2\n", "line 2 of .* has 3 cells"),
])  # fmt: skip
def test_a_file_that_is_not_complete_or_not_right_is_a_sentence(tmp_path, text, sentence):
    with pytest.raises(UserError, match=sentence):
        read(written(tmp_path, text), NAMES)


def test_a_generation_appears_as_a_whole_and_scores_are_awaited(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(exchange, "EVERY", 0.01)
    folder, pictures = tmp_path / "ask/0007", torch.rand(3, 3, 8, 8)

    def rig():
        while not folder.exists():
            time.sleep(0.005)
        assert sorted(path.name for path in folder.iterdir()) == [*NAMES, "pictures.csv"]
        written(folder, "picture,score\n000.png,1\n")  # half of it
        time.sleep(0.1)
        whole = written(tmp_path, "picture,score\n" + "".join(f"{name},{i}\n" for i, name in enumerate(NAMES)))
        whole.rename(folder / "scores.csv")

    score = Exchange()
    score.folder, score.number = tmp_path, 7
    answering = threading.Thread(target=rig)
    answering.start()
    assert score(pictures).tolist() == [0, 1, 2]
    answering.join()
    assert capsys.readouterr().err.count("not read: ") == 1
    torch.testing.assert_close(images.saved(folder / "002.png"), pictures[2], rtol=0, atol=0.003)
    assert not list((tmp_path / "ask").glob(".next-*"))


RIG = """
import math

def red(pictures, least=0.0):
    assert pictures.shape[1:] == (3, 16, 16)
    return [float(p[0].mean()) + least for p in pictures]


def fails(pictures):
    raise RuntimeError("no spikes")


class Counting:
    def __init__(self, gain):
        self.gain, self.calls = gain, 0

    def __call__(self, pictures):
        self.calls += 1
        return self.gain * pictures[:, 0].mean((1, 2))
"""


@pytest.fixture
def words(tmp_path, small_bundle):
    pytest.importorskip("cma", reason="cma is not installed: pip install 'dgn[search]'")
    (tmp_path / "my_rig.py").write_text(RIG)
    return ("-m", "dgn", "search", f"bundle={small_bundle}", "ascent.steps=2", "ascent.optimiser.population=4",
            "prior=box", "output=out")  # fmt: skip


@pytest.mark.slow
def test_a_function_is_searched_from_the_command_line_and_again_where_it_failed(words, tmp_path):
    _, err = run(*words, "score._target_=my_rig.fails", cwd=tmp_path, code=1)
    assert "error: the score failed in generation 1 (no spikes): what was measured is kept" in err
    _, err = run(*words, "score._target_=my_rig.missing", cwd=tmp_path, code=1)
    assert "cannot import score._target_=my_rig.missing (" in err and len(err.strip().splitlines()) == 1
    _, err = run(*words, "score._target_=my_rig.red", cwd=tmp_path, code=1)
    assert "already holds a run: set resume=true" in err
    out, _ = run(*words, "score._target_=my_rig.red", "score.least=1", "resume=true", cwd=tmp_path)
    assert out.startswith("2 generations of 4 pictures, from generation 1 on; after each, out/index.html shows it\n")
    assert "generation 2 of 2: mean score 1." in out and (tmp_path / "out/index.html").exists()
    rows = table(tmp_path / "out/curve.csv")
    assert [row["generation"] for row in rows] == ["0", "1"] and float(rows[0]["unit_0"]) > 1
    _, err = run(*words, "seed=1", "resume=true", cwd=tmp_path, code=1)
    assert "seed was 0 and is now 1; set another output=DIR" in err


@pytest.mark.slow
def test_an_object_scores_too(words, tmp_path):
    out, _ = run(*words, "score._target_=my_rig.Counting", "score.gain=2", cwd=tmp_path)
    assert "generation 2 of 2" in out


@pytest.mark.slow
def test_a_search_through_the_folder(words, tmp_path, monkeypatch):
    monkeypatch.setattr(exchange, "EVERY", 0.01)

    def rig():
        for number in range(2):
            folder = tmp_path / f"out/ask/{number:04d}"
            while not folder.exists():
                time.sleep(0.005)
            names = (folder / "pictures.csv").read_text().split()[1:]
            part = written(tmp_path, "picture,score\n" + "".join(f"{name},{i}\n" for i, name in enumerate(names)))
            part.rename(folder / "scores.csv")

    answering = threading.Thread(target=rig, daemon=True)
    answering.start()
    out, _ = run(*words, cwd=tmp_path)
    assert out.count("waiting for") == 2 and "generation 2 of 2: mean score 1.5" in out
