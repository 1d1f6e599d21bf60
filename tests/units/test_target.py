"""The target and its units, from a config."""

import pytest
import torch

from dgn import units
from dgn.base import images
from dgn.base.errors import UserError
from dgn.evaluation import judge
from dgn.settings import composed
from dgn.synthesis.load import load_target
from dgn.units.target import Target

LETTERS = ["a", "b", "c", "d", "e", "f", "g"]  # one for each of tiny's outputs


@pytest.fixture
def target(synthesis, tiny):
    """The target of settings whose network is `tiny`."""

    def build(items, *words, classes=None) -> Target:
        config = synthesis("target._target_=torch.nn.Module", "target.name=tiny", "target.input.size=16", *words)
        network = config.target.model_copy(update={"classes": classes})
        config = config.model_copy(update={"units": items, "target": network})
        return load_target(config, torch.rand(1, 3, 16, 16), tiny)

    return build


@pytest.fixture
def file(tmp_path):
    """A file with this content."""

    def write(content: str) -> str:
        (tmp_path / "classes.txt").write_text(content)
        return str(tmp_path / "classes.txt")

    return write


@pytest.mark.parametrize("layer", ["output", "out"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a\nb\nc\nd\ne\nf\n", r"classes\.txt has 6 names, but tiny has 7 outputs"),
        ("\n".join("abcdefgh"), r"classes\.txt has 8 names, but tiny has 7 outputs"),
        ('["a", "b", "c", "d", "e", "f", "g"]', "is JSON"),
    ],
)
def test_there_must_be_as_many_names_as_outputs(target, file, layer, content, words):
    with pytest.raises(UserError, match=words):
        target("0", f"target.layer={layer}", classes=file(content))


def test_names_are_those_of_the_output_alone(target, file):
    found = target(["a", "-c", "conv"], classes=[*LETTERS[:6], "conv"])
    assert [unit.label for unit in found.units] == ["a", "not c", "conv"] and found.is_output
    assert target("a", classes=file("a\nb\nc\nd\ne\nf\ng\n\n\n")).units[0].channel == 0
    hidden = target(["conv:3-4", "-conv:all@max"], classes=LETTERS)
    assert hidden.features.layers == ["conv"] and len(hidden.units) == 2 + 8 and hidden.classes is None
    assert len(target("fc:all", classes=["a", "b"]).units) == 12
    with pytest.raises(UserError, match="the layer fc has no class names: set output:a"):
        target("fc:a", classes=LETTERS)
    with pytest.raises(UserError, match="this layer has no class names: set an index from 0 to 11"):
        target("fc:z", classes=LETTERS)


def test_what_is_known_elsewhere_is_said(target):
    with pytest.raises(UserError, match="'conv' is a layer: name an element of it as well, such as conv:3"):
        target(["conv", "3"])
    with pytest.raises(UserError, match="'conv:3' is a unit, not a layer: set units=conv:3"):
        target("0", "target.layer=conv:3")
    with pytest.raises(UserError, match="there is no unit '300' in the layer conv: set an index"):
        target("conv:300")
    with pytest.raises(UserError, match="no unit is chosen, and the default ones are classes"):
        target(list(composed("synthesize").config.units))


def test_a_class_with_a_colon_is_not_a_layer(target):
    found = target(["conv:3", "1:10-conv:3"], classes=["conv:3", "1:10", *LETTERS[:5]])
    assert found.features.layers == ["output"]
    assert [[term.channel for term in unit.terms] for unit in found.units] == [[0], [1, 0]]


def test_a_file_of_units_knows_the_class_names(target, tmp_path):
    (tmp_path / "units.txt").write_bytes(b"\xef\xbb\xbfC#\r\nC # the note C\r\n# 1\r\n")
    found = target("0", f"units_file={tmp_path}/units.txt", classes=["C", "C#", "# 1", *LETTERS[:4]])
    assert [unit.channel for unit in found.units] == [1, 0, 2]


def test_a_class_whose_name_is_not_unique_is_not_compared_with_a_judges(target):
    classes = ["crane", "goldfish", "crane", "d", "e", "f", "g"]
    found = target(["0", "1", "2", "-1", "1-d"], classes=classes)
    assert [found.wanted(unit) for unit in found.units] == [None, "goldfish", None, None, None]
    with pytest.raises(UserError, match="2 classes are called 'crane'"):
        target("crane", classes=classes)


def test_units_of_several_layers_are_scored_from_one_pass(target, tiny):
    found = target(["conv:1@max+0.5*fc:3", "b", "-conv:2-3@1x1", "a-fc:2"], classes=LETTERS)
    texts = [unit.text for unit in found.units]
    assert texts == ["conv:1@max+0.5*fc:3", "b", "-conv:2@1x1", "-conv:3@1x1", "a-fc:2"]
    assert [unit.label for unit in found.units][:2] == ["conv:1@max + 0.5 fc:3", "b"]
    assert (found.layer, found.is_output, found.classes) == ("conv, fc, output", False, None)
    assert [found.at_one_place(unit) for unit in found.units] == [False, False, True, True, False]
    passes = []
    tiny.conv.register_forward_hook(lambda *_: passes.append(1))
    scores = found.score(found.units)(found.features(torch.rand(1, 3, 16, 16).expand(5, -1, -1, -1)))
    assert len(passes) == 1 and scores.shape == (5,)
    with pytest.raises(UserError, match="the layer fc has no class names: set output:a"):
        target(["fc:a", "conv:2"], classes=LETTERS)
    with pytest.raises(UserError, match="no unit '300' in the layer conv"):
        target(["fc:1-conv:300"])


def test_a_judge_has_as_many_names_as_outputs(network_settings, monkeypatch, tiny):
    monkeypatch.setattr("dgn.networks.zoo.frozen", lambda *_: tiny)
    for classes, words in (("imagenet", "judge.classes=imagenet has 1000 names, but .* has 7 outputs"),
                           (LETTERS[:6], "judge.classes has 6 names, but .* has 7 outputs"),
                           ("auto", r"does not return one score per class name \(1000\)")):  # fmt: skip
        with pytest.raises(UserError, match=words):
            judge.load(network_settings(classes=classes, input={"size": 16}), {})
    assert judge.load(network_settings(classes=LETTERS, input={"size": 16}), {}).knows("a")


def test_minimised_units_score_their_negative(target):
    found = target(["conv:2-3@1x1", "-conv:2-3@1x1"])
    activation = found.features(torch.rand(1, 3, 16, 16).expand(4, -1, -1, -1))
    scores = units.Scorer(found.units, units.Logit())(activation)
    torch.testing.assert_close(scores[:2], -scores[2:])


def test_an_image_is_a_unit_that_its_own_values_match(target, tmp_path):
    image = torch.rand(3, 16, 16)
    images.save(tmp_path / "cat.png", image)
    found = target([f"conv:{tmp_path}/cat.png", f"fc:{tmp_path}/cat.png"], "objective=match")
    assert [unit.label for unit in found.units] == ["conv:cat", "fc:cat"]
    x = torch.stack([images.saved(tmp_path / "cat.png")] * 2)
    torch.testing.assert_close(found.score(found.units)(found.features(x)), torch.zeros(2))
    assert (found.score(found.units)(found.features(1 - x)) < -0.01).all()
    with pytest.raises(UserError, match="objective=match needs patterns"):
        target("0", "objective=match")


def test_a_level_needs_real_images_or_a_number(target):
    with pytest.raises(UserError, match=r"set data\.root=DIR, or the level itself by objective\.value=…"):
        target("0", "objective=level")
    found = target("a", "objective=level", "objective.value=3", classes=LETTERS)
    assert found.is_output and not found.maximised and found.wanted(found.units[0]) is None
    with pytest.raises(UserError, match="percentile"):
        target("0", "objective=level", "objective.percentile=101", "objective.value=3")
