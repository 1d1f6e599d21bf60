"""Ask and tell: what is shown, what is saved, and what survives a crash."""

import shutil

import pytest
import torch

import dgn
from dgn.base.errors import UserError

pytest.importorskip("cma", reason="cma is not installed: pip install 'dgn[search]'")


def red(pictures):
    """A neuron that wants red pictures."""
    return pictures[:, 0].mean((1, 2)) - pictures[:, 2].mean((1, 2))


@pytest.fixture
def begun(small_bundle, tmp_path):
    """A new search with few pictures."""

    def begin(name="cell", **more):
        settings = {"population": 8, "prior": "box", "ascent": {"steps": 6}} | more
        return dgn.Search(str(small_bundle), output=tmp_path / name, **settings)

    return begin


def told(search, generations, score=red):
    for _ in range(generations):
        search.tell(score(search.ask()))
    return search


def test_the_score_rises(begun):
    search = begun(ascent={"steps": 12, "end": 0.5})
    assert search.ask().shape == (8, 3, 16, 16)
    assert float(search.ask().min()) >= 0 and float(search.ask().max()) <= 1
    told(search, 12)
    assert search.done and search.curve.shape == (12, 1) and search.curve[-1] > search.curve[0]
    picture, score = search.best()
    torch.testing.assert_close(red(picture).double(), score, rtol=0, atol=1e-6)
    assert search.centre().shape == (1, 3, 16, 16)
    with pytest.raises(UserError, match=r"has made its 12 generations: begin another one with more, ascent\.steps=…"):
        search.ask()
    with pytest.raises(UserError, match="nothing to tell"):
        search.tell([0.0] * 8)


def test_a_search_that_was_killed_goes_on_to_the_bit(begun, tmp_path):
    whole = told(begun("whole"), 6)
    told(begun("killed"), 3).ask()  # asked, never told
    again = dgn.Search.resume(tmp_path / "killed")
    assert again.generation == 3 and torch.equal(again.curve, whole.curve[:3])
    told(again, 3)
    assert torch.equal(again.curve, whole.curve) and torch.equal(again.best()[0], whole.best()[0])
    assert torch.equal(again.centre(), whole.centre())


def test_units_are_searched_beside_each_other(begun):
    search = begun(units=2, seed=4)
    pictures = search.ask()
    assert len(pictures) == 16
    told(search, 6, lambda pictures: torch.cat([red(pictures[:8]), -red(pictures[8:])]))
    assert search.curve.shape == (6, 2) and red(search.best()[0])[0] > red(search.best()[0])[1]
    alone = begun("alone", seed=4)
    assert torch.equal(alone.ask(), pictures[:8])


def test_repeats_are_averaged_and_pictures_without_a_score_left_out(begun, capsys):
    nan = float("nan")
    scores = [[1, 3], [2, 2], [nan, 5], [nan, nan], [0, 1], [4, 4], [0, 0], [1, 1]]
    one, two = begun("one"), begun("two")
    one.tell(scores)
    assert "note: 1 of 8 pictures have no score and are left out" in capsys.readouterr().err
    two.tell([2, 2, 5, nan, 0.5, 4, 0, 1])
    assert torch.equal(one.ask(), two.ask()) and one.best()[1].tolist() == [5]


@pytest.mark.parametrize(("scores", "sentence"), [
    ([1.0] * 7, r"the scores have the shape \(7,\): give \(8,\), one for each picture, or \(8, repeats\)"),
    ([1.0] * 7 + [float("inf")], "a score is infinite"),
    (["a"] * 8, "not an array of numbers"),
    ([1.0] * 3 + [float("nan")] * 5, "3 of 8 pictures of unit 0 have a score, and 4 are needed: show the others again"),
])  # fmt: skip
def test_scores_that_are_wrong_change_nothing(begun, scores, sentence):
    search = begun()
    asked = search.ask()
    with pytest.raises(UserError, match=sentence):
        search.tell(scores)
    assert torch.equal(search.ask(), asked) and search.generation == 0
    told(search, 1)


def test_a_folder_holds_one_search_and_keeps_its_generator(begun, tmp_path, small_bundle):
    told(begun(), 1)
    with pytest.raises(UserError, match="already holds a run: continue a search by resume=true"):
        begun()
    with pytest.raises(UserError, match="holds no search"):
        dgn.Search.resume(tmp_path / "nowhere")
    with pytest.raises(UserError, match="its generator has changed"):
        dgn.Search.resume(tmp_path / "cell", bundle=dgn.load_bundle("caffenet64-fc6"))
    shutil.copytree(tmp_path / "cell", tmp_path / "moved")
    assert dgn.Search.resume(tmp_path / "moved").generation == 1


def test_two_searches_in_one_folder_do_not_overwrite_each_other(begun, tmp_path):
    first = begun()
    second = dgn.Search.resume(tmp_path / "cell")
    told(first, 1)
    with pytest.raises(UserError, match="another search has written"):
        told(second, 1)


def test_a_live_generator_and_a_stimulus(tmp_path, moments, generator):
    prior = dgn.decoder(generator(), codes=torch.rand(40, 12))
    words = {"stimulus.aperture.grey": 0.25, "stimulus.aperture.diameter": 0.3}
    search = dgn.Search(prior, "stimulus=aperture", output=tmp_path / "out", population=4, **words)
    assert (search.ask()[:, :, 0, 0] == 0.25).all()
    told(search, 1)
    assert dgn.Search.resume(tmp_path / "out", bundle=prior).generation == 1


@pytest.mark.parametrize(("words", "sentence"), [
    ({"ascent": "relative", "population": None}, "this ascent needs a gradient, and a measured response has none"),
    ({"population": 2}, "population=2 is out of range"),
    ({"steps": 3}, "there is no setting 'steps'"),
])  # fmt: skip
def test_a_mistake_is_a_sentence_and_leaves_nothing(begun, tmp_path, words, sentence):
    with pytest.raises(UserError, match=sentence):
        begun(**{"ascent": {"steps": 6}} | words)
    assert not (tmp_path / "cell").exists()


def test_a_bare_name_of_a_function_is_told_its_key(tmp_path):
    with pytest.raises(UserError, match=r"score=my_pkg\.rig names a function in the wrong place: set score\._target_="):
        dgn.Search("caffenet64-fc6", "score=my_pkg.rig", output=tmp_path / "cell")


def test_pixels_are_searched_at_the_size_that_is_set(tmp_path):
    words = ["generator=pixels", "target.input.size=12"]
    search = dgn.Search("caffenet64-fc6", *words, output=tmp_path / "pixels", population=4)
    assert search.ask().shape == (4, 3, 12, 12)
