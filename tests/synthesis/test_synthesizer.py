"""An object that loads once, every setting as a keyword, and results that show themselves."""

import numpy as np
import pytest
import torch
from torch import nn

import dgn
from dgn import Synthesizer, UserError, load_bundle, synthesize
from dgn.base.memo import Memo
from dgn.networks import zoo
from dgn.report import results
from dgn.synthesis import load
from dgn.synthesis.pictures import Pictures

QUICK = {"seeds": 1, "ascent": {"steps": 3}, "input": {"size": np.int64(16)}}


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 5))


def same(a, b):
    return torch.equal(a.images, b.images) and torch.equal(a.codes, b.codes)


def test_it_loads_once_and_gives_what_a_single_call_gives(small_bundle, monkeypatch):
    loads = []
    for module, name in ((load, "load_prior"), (zoo, "frozen")):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, real=real, name=name: (loads.append(name), real(*args))[1])
    settings = {"bundle": small_bundle, "seeds": 1, "ascent": {"steps": 3}}
    ask = Synthesizer("caffenet64", **settings)
    assert loads == []
    first, second = ask.synthesize("lemon"), ask.synthesize([3, "pretzel"])
    assert sorted(loads) == ["frozen", "load_prior"]
    assert same(ask.synthesize("lemon"), first)  # nothing of the other call stays
    ask.synthesize("conv5:1")  # another layer: the network is read anew, the prior is kept
    assert sorted(loads) == ["frozen", "frozen", "load_prior"]
    assert same(first, synthesize("caffenet64", "lemon", **settings))
    assert same(second, synthesize("caffenet64", [3, "pretzel"], **settings))


def test_a_live_network_may_be_trained_between_two_calls(small_bundle):
    net = network().train()
    ask = Synthesizer(net, bundle=small_bundle, **QUICK)
    before = ask.synthesize(1)
    with torch.no_grad():
        net[4].bias += 1
    after = ask.synthesize(1)
    assert after.rows[0].score == pytest.approx(before.rows[0].score + 1, abs=0.2) and net.training
    assert same(ask.synthesize(1), after)


def test_settings_of_a_call_win_and_add_to_those_of_the_object(small_bundle):
    ask = Synthesizer(network(), bundle=small_bundle, **QUICK)
    assert ask.synthesize(1, seeds=2, ascent={"noise": 0.5}).curves.shape == (2, 3)
    assert ask.synthesize(1, "ascent.steps=9", ascent={"steps": 2}).curves.shape == (1, 2)
    assert ask.synthesize(1, generator="pixels").codes.shape == (1, 3, 16, 16)
    assert ask.synthesize(1).codes.shape == (1, 1024)


@pytest.mark.parametrize(
    "units", [np.int64(3), torch.tensor(3), np.arange(3, 4), torch.tensor([3]), range(3, 4), (3,), {3}, ["3"]]
)
def test_units_are_what_python_has(small_bundle, units):
    assert [row.unit for row in synthesize(network(), units, bundle=small_bundle, **QUICK).rows] == ["3"]


def test_a_prior_may_be_an_object(small_bundle):
    prior = load_bundle(str(small_bundle))
    found = [
        synthesize(network(), 1, prior="box", **{key: value}, **QUICK)
        for key, value in (("bundle", prior), ("bundle", small_bundle))
    ]
    assert same(*found)
    assert synthesize(network(), 1, prior=prior, **QUICK).codes.shape == (1, 1024)
    ask = Synthesizer(network(), prior=prior, **QUICK)
    assert ask.synthesize(1, bundle="caffenet64-fc6").images.shape[-1] == 64  # the call wins


@pytest.mark.parametrize(
    ("keywords", "sentence"),
    [
        ({"ascent": "nguyen2016", "steps": 5}, "steps=5 has no effect"),
        ({"prior": "box", "max_mahalanobis": 2.0}, "max_mahalanobis=2.0 has no effect"),
        ({"prior": "box", "radius": 2.0}, "max_mahalanobis=2.0 has no effect"),
        ({"ascent": {"stepz": 3}}, "there is no key 'ascent.stepz': did you mean 'step'"),
        ({"start.path": "x.png"}, "there is no key 'start.path': this part has no settings"),
        ({"prior": {"kk": 1}}, "there is no key 'prior.kk': did you mean 'k'"),
        ({"seeds": 1.5}, "seeds=1.5 is not a whole number"),
        ({"experiment": "range_of_codes"}, "synthesize one panel at a time"),
    ],
)
def test_a_mistake_is_a_sentence(keywords, sentence):
    with pytest.raises(UserError, match=sentence):
        synthesize("caffenet64", 1, **keywords)


def test_steps_is_the_networks_default_and_the_ascents_own_wins():
    assert synthesize(network(), 1, steps=2, generator="pixels", seeds=1, input={"size": 16}).curves.shape == (1, 2)
    found = synthesize(network(), 1, steps=2, generator="pixels", **QUICK)
    assert found.curves.shape == (1, 3)


def test_what_is_no_target_or_no_word_is_a_sentence(small_bundle):
    for target, words, sentence in (
        (nn.Linear, (), "the target is the class Linear"),
        (5, (), "the target is a int"),
        (network(), (4,), "4 is not a setting"),
    ):
        with pytest.raises(UserError, match=sentence):
            synthesize(target, 1, *words)
    prior = load_bundle(small_bundle)
    with pytest.raises(UserError, match="leave one out"):
        synthesize(network(), 1, prior=prior, generator="pixels")
    with pytest.raises(UserError, match="prior and bundle are both bundles"):
        synthesize(network(), 1, prior=prior, bundle=prior)
    with pytest.raises(UserError, match=r"output belongs to a single call"):
        Synthesizer(network(), output="x")


def test_a_call_is_silent_unless_it_is_asked(small_bundle, capsys):
    found = synthesize(network(), 1, bundle=small_bundle, **QUICK)
    assert capsys.readouterr() == ("", "")
    synthesize(network(), 1, bundle=small_bundle, verbose=True, **QUICK)
    shown = capsys.readouterr()
    assert "prior: small" in shown.out and shown.err == ""
    assert found.log.splitlines()[0] == shown.out.splitlines()[0]  # kept for whoever looks


def test_the_table_the_sheet_and_what_a_notebook_shows(small_bundle):
    found = synthesize(
        network(), [0, 1], bundle=small_bundle, classes=["<b>", "b", "c", "d", "e"], **QUICK | {"seeds": 2}
    )
    assert [(row["unit"], row["seed"]) for row in found.table()] == [("0", 0), ("0", 1), ("1", 0), ("1", 1)]
    assert found.table()[0]["score"] == found.rows[0].score
    assert found.plot().size[0] > found.plot().size[1] // 2 and found.plot().mode == "RGB"
    assert repr(found).startswith("Pictures(4 of 2 units, 3×16×16; ") and len(repr(found)) < 200 and len(found) == 4
    html = found._repr_html_()
    assert html.count("data:image/png;base64,") == 4 and "&lt;b&gt;" in html and "<b>, seed" not in html
    assert "http" not in html


@pytest.mark.parametrize("channels", [1, 4])
def test_pictures_of_other_channels_and_dead_rows_are_shown(channels):
    row = results.Row(0, "1", "a", 0, float("nan"), None, None, 0.0, 0.0, "dead", 0, 0.0, "images/x.png")
    found = Pictures(torch.zeros(1, channels, 8, 8), [row], torch.zeros(1, 2), torch.zeros(1, 3))
    assert found.plot().size and "dead" in found._repr_html_()


def test_a_memo_makes_again_what_is_made_from_something_else():
    memo, made = Memo(), []
    for made_from in (1, 1, 2, 1):
        memo("a", made_from, lambda: made.append(1))
    assert len(made) == 3


def test_layers_of_a_live_network_and_of_a_named_one():
    net = network().train()
    found = dgn.layers(net, input={"size": 16})
    assert [(layer.name, layer.shape) for layer in found][::5] == [("0", (6, 7, 7)), ("output", (5,))]
    assert net.training and repr(found).startswith("layer ") and "<pre>" in found._repr_html_()
    assert dgn.layers("caffenet64")[-1].shape == (200,)
    with pytest.raises(UserError, match="did you mean 'caffenet64'"):
        dgn.layers("cafenet64")
    with pytest.raises(UserError, match="no setting 'inputt'"):
        dgn.layers(net, inputt=3)


def test_bundles_by_name_and_by_file(small_bundle):
    assert load_bundle("caffenet64-fc6").record["layer"] == "fc6"
    assert load_bundle(small_bundle).record["layer"] == "fc6"
    assert repr(load_bundle(small_bundle)) == "Bundle(Deepsim for fc6 of caffenet64, codes (1024,) to 16 px)"
    with pytest.raises(UserError, match="there is no bundle 'nope'"):
        load_bundle("nope")
