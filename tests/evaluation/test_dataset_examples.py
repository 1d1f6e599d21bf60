"""Real images beside the synthesized ones, and the relative activation."""

import csv
from dataclasses import replace

import pytest
import torch

from dgn import config as settings
from dgn import units
from dgn.base.errors import UserError
from dgn.evaluation import dataset_examples
from dgn.networks.features import Features
from dgn.report import results
from dgn.units.target import Subject

ROW = results.Row(0, "1", "bread", 3, 6.0, None, None, 2.0, 0.25, "done", 200, 0.1, "images/x.png")


@pytest.fixture
def subject(tiny, contract):
    """A target with seven classes, three of which the images of `image_tree` are of; or a hidden layer of it."""

    def build(text, output=True, classes=("apple", "bread", "cup", "d", "e", "f", "g")):
        layer, width = ("out", 7) if output else ("fc", 12)
        found = units.parse(text, (width,), list(classes) if output else None)
        return Subject(Features(tiny, layer, contract, False), found,
                       lambda rows: units.Scorer(rows, units.Logit()), output, list(classes))  # fmt: skip

    return build


@pytest.fixture
def data(config, image_tree):
    def build(*words):
        typed = [f"data.root={image_tree}", "data.resize=16", "data.crop=16", "data.batch_size=4", *words]
        return dataset_examples.real_images(settings.plain(config("synthesize", *typed)))

    return build


@pytest.mark.parametrize(("which", "count"), [("val", 2), ("train", 4)])
def test_the_best_of_the_images_that_are_asked_for(subject, data, tmp_path, monkeypatch, which, count):
    given = subject(["bread", "-apple", "d", "0.5*bread+0.5*cup"])
    module, taken = data(f"real_from={which}")
    source = getattr(module, which)
    scores = given.target(torch.stack([source.image(i) for i in range(len(source))]))[:, 1]
    words = (module, taken, 3, given, dict(enumerate(given.units)), tmp_path)
    monkeypatch.setattr(dataset_examples, "ENOUGH", count)
    best = dataset_examples.write_real_images(*words)
    assert best == {"bread": pytest.approx(float(scores.max()), rel=1e-5)}  # one picture of "d" is none
    table = [row for row in csv.DictReader((tmp_path / "real.csv").open()) if row["unit"] == "bread"]
    assert [float(row["score"]) for row in table] == pytest.approx(scores.topk(3).values.tolist(), rel=1e-4)
    assert all((tmp_path / row["image"]).exists() for row in table)
    monkeypatch.setattr(dataset_examples, "ENOUGH", count + 1)
    assert dataset_examples.write_real_images(*words) == {}


def test_of_a_hidden_layer_every_image_counts(subject):
    hidden = subject(["3", "-4"], output=False)
    assert dataset_examples.scored(hidden, hidden.units, {"apple": 60, "bread": 41}) == [101, 101]


def test_which_images_is_val_or_train(data, config):
    with pytest.raises(UserError, match="real_from=test is neither: type real_from=val or real_from=train"):
        data("real_from=test")
    assert dataset_examples.real_images(settings.plain(config("synthesize"))) is None


def test_relative_is_over_a_best_that_is_above_zero():
    rows = [ROW, replace(ROW, unit="2"), replace(ROW, unit="3")]
    assert [row.relative for row in dataset_examples.relate(rows, {"1": 4.0, "2": -1.0})] == [1.5, None, None]
