"""Real images beside the synthesized ones, and the relative activation."""

import csv
from dataclasses import replace

import pytest
import torch
from PIL import Image

from dgn import units
from dgn.evaluation import dataset_examples
from dgn.networks.features import Features
from dgn.report import results
from dgn.units.target import Target

ROW = results.Row(0, "1", "bread", 3, 6.0, None, None, 2.0, 0.25, "done", 200, 0.1, "images/x.png")


@pytest.fixture
def target(tiny, contract):
    """A target with seven classes, three of which the images of `image_tree` are of; or a hidden layer of it."""

    def build(text, output=True, classes=("apple", "bread", "cup", "d", "e", "f", "g")):
        layer, width = ("out", 7) if output else ("fc", 12)
        found = units.parse(text, (width,), list(classes) if output else None)
        return Target(Features(tiny, layer, contract, False), found,
                       lambda rows: units.Scorer(rows, units.Logit()), output, list(classes))  # fmt: skip

    return build


@pytest.fixture
def data(synthesis, image_tree, target):
    """The images of `image_tree` for a target with these units; the pictures beside them are of 24 px."""

    def build(*words, given=None, size=16):
        typed = [f"data.root={image_tree}", "data.batch_size=4", f"target.input.size={size}", *words]
        config = synthesis(*typed)
        return dataset_examples.real_images(config.data, config.real_from, config.seed, given or target(["bread"]), 24)

    return build


@pytest.mark.parametrize(("which", "count"), [("val", 2), ("train", 4)])
def test_the_best_of_the_images_that_are_asked_for(target, data, tmp_path, monkeypatch, which, count):
    given = target(["bread", "-apple", "d", "0.5*bread+0.5*cup"])
    module, taken = data(f"real_from={which}")
    source = getattr(module, which)
    scores = given.features(torch.stack([source.image(i) for i in range(len(source))]))[:, 1]
    words = (module, taken, 3, given, dict(enumerate(given.units)), tmp_path)
    monkeypatch.setattr(dataset_examples, "ENOUGH", count)
    best = dataset_examples.write_real_images(*words)
    assert best == {"bread": pytest.approx(float(scores.max()), rel=1e-5)}  # one picture of "d" is none
    table = [row for row in csv.DictReader((tmp_path / "real.csv").read_text().splitlines()) if row["unit"] == "bread"]
    assert [float(row["score"]) for row in table] == pytest.approx(scores.topk(3).values.tolist(), rel=1e-4)
    assert all((tmp_path / row["image"]).exists() for row in table)
    monkeypatch.setattr(dataset_examples, "ENOUGH", count + 1)
    assert dataset_examples.write_real_images(*words) == {}


def test_of_a_hidden_layer_every_image_counts(target):
    hidden = target(["3", "-4"], output=False)
    assert dataset_examples.scored(hidden, hidden.units, {"apple": 60, "bread": 41}) == [101, 101]


def test_whether_any_output_has_the_name_of_a_folder(target):
    assert dataset_examples.named(target(["bread"]), ["bread", "x"])
    assert not dataset_examples.named(target(["bread"]), ["x"])
    assert not dataset_examples.named(target(["1"], classes=()), ["bread"])


def test_without_a_folder_there_are_none(data):
    assert data("data.root=null") is None


@pytest.mark.parametrize(
    ("fit", "size", "words", "expected"),
    [
        ("resize", 16, [], (16, 16)),
        ("resize", 48, [], (48, 48)),  # larger than the pictures and the images: read at its size
        ("resize", 48, ["data=imagenet"], (48, 48)),
        ("resize", 48, ["data.resize=32"], (32, 32)),
        ("resize", 48, ["data.resize=64", "data.crop=56"], (64, 56)),
        ("crop", 16, [], (24, 16)),  # the centre, as of a picture of 24 px
        ("crop", 48, [], (48, 48)),
        ("crop", 16, ["data.resize=20", "data.crop=16"], (20, 16)),
    ],
)
def test_real_images_are_read_as_the_target_sees_pictures(synthesis, contract, fit, size, words, expected):
    settings = synthesis("data.root=DIR", f"target.input.size={size}", *words).data
    seen = dataset_examples.as_seen(settings, replace(contract, size=size, fit=fit), 24)
    assert (seen.resize, seen.crop) == expected
    assert seen.sources["size"] == expected[0]


def test_a_target_that_is_larger_than_the_images_sees_them_whole(tiny, contract, data, target, tmp_path):
    given = target(["bread"])
    given.features.contract = replace(contract, size=20)
    sides = []
    given.features.register_forward_pre_hook(lambda _, args: sides.append(args[0].shape[-1]))
    tiny.pool = torch.nn.AdaptiveAvgPool2d(4)
    dataset_examples.write_real_images(
        *data("real_from=val", given=given, size=20), 2, given, {0: given.units[0]}, tmp_path
    )
    assert set(sides) == {20}
    with Image.open(tmp_path / "real" / "00000-0.png") as image:
        assert image.size == (20, 20)


def test_training_images_are_scored_where_few_are_held_out(target, data, monkeypatch, capsys):
    def chosen(enough, *items, most=100, **more):
        capsys.readouterr()
        monkeypatch.setattr(dataset_examples, "ENOUGH", enough)
        monkeypatch.setattr(dataset_examples, "MOST", most)
        _, which = data(given=target(list(items), **more))
        return which, capsys.readouterr().out.splitlines()[1:]

    assert chosen(2, "bread", "cup") == ("val", [])
    assert chosen(4, "d", "bread") == ("train", ["real images: of the training images, because bread has fewer "
        "than 4 held-out images to compare with"])  # fmt: skip
    assert chosen(5, "bread") == ("val", [])  # there are too few of those, too
    assert chosen(4, "d", "0.5*bread+0.5*cup") == ("val", [])  # no image is of these
    assert chosen(7, "3", output=False)[0] == "train"
    assert chosen(6, "3", output=False)[0] == "val"
    which, (line,) = chosen(4, "bread", most=11)
    assert which == "val" and "set real_from=train to score 12 images" in line


def test_the_best_over_batches_are_the_best_of_all(monkeypatch):
    monkeypatch.setattr(dataset_examples, "TOGETHER", 8)
    scores = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    scores[7, 1] = torch.nan
    best = dataset_examples.Best(4)
    for part, index in zip(scores.split(3), torch.arange(100, 150).split(3), strict=True):
        best.add(part, index)
    values, index = best.top()
    expected = scores.nan_to_num(-torch.inf).topk(4, dim=0)
    assert torch.equal(values, expected.values) and torch.equal(index, expected.indices + 100)
    best = dataset_examples.Best(4)
    best.add(scores[:2], torch.arange(2))
    assert best.top()[0].shape == (2, 3)  # fewer than were asked for


def test_relative_is_over_a_best_that_is_above_zero():
    rows = [ROW, replace(ROW, unit="2"), replace(ROW, unit="3")]
    assert [row.relative for row in dataset_examples.relate(rows, {"1": 4.0, "2": -1.0})] == [1.5, None, None]
