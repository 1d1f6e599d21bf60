"""A network that took no part is asked what it sees."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dgn.base.errors import UserError
from dgn.evaluation import judge
from dgn.evaluation.judge import Judge
from dgn.networks.features import OUTPUT, Features
from dgn.networks.settings import NetworkSettings

CLASSES = ["Cardigan", "cardigan", "goldfish, Carassius auratus"]


class Colours(nn.Module):
    """Says how red, green and blue an image is."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


def colour(*rgb: float) -> torch.Tensor:
    return torch.tensor(rgb).view(1, 3, 1, 1).expand(1, 3, 16, 16)


@pytest.fixture
def seen(contract):
    return Judge(Features(Colours(), OUTPUT, contract, activated=True), CLASSES, "colours")


def test_a_class_is_found_by_its_name_and_ranked_among_all(seen):
    pictures = torch.cat([colour(0.9, 0.5, 0.1)] * 5)
    assert seen.ranks(pictures, ["cardigan", "Cardigan", "goldfish", "tench", None]) == [2, 1, 3, None, None]
    assert seen.ranks(pictures[:2], [None, "tench"]) == [None, None]
    assert seen.knows("Goldfish") and not seen.knows("tench") and not seen.knows(None)


def test_a_name_that_several_classes_have_is_not_ranked(contract):
    """The usual lists of ImageNet's names have two cranes, a bird and a machine."""
    judge_ = Judge(Features(Colours(), OUTPUT, contract, activated=True), ["crane", "goldfish", "crane"], "colours")
    assert not judge_.knows("crane")
    assert judge_.ranks(torch.cat([colour(0.9, 0.5, 0.1)] * 2), ["crane", "goldfish"]) == [None, 2]


def test_a_picture_is_looked_at_as_it_is_saved(seen):
    almost = colour(0.5, 0.5 + 1e-4, 0.0)  # one value in 8 bits: equal scores count against the class
    assert seen.ranks(torch.cat([almost, almost]), ["Cardigan", "cardigan"]) == [2, 2]
    assert seen.ranks(colour(7.0, 1.5, 0.9), ["goldfish"]) == [3]


@pytest.fixture
def node(synthesis, tmp_path):
    """The settings of a network that judges, with the words that are added."""

    def build(*words: str) -> NetworkSettings:
        save_file({"weight": torch.eye(3, 48), "bias": torch.zeros(3)}, tmp_path / "w.safetensors")
        (tmp_path / "classes.txt").write_text("\n".join(CLASSES))
        own = ["judge._target_=torch.nn.Linear", "judge.args.in_features=48", "judge.args.out_features=3",
               f"judge.weights={tmp_path}/w.safetensors", f"judge.classes={tmp_path}/classes.txt"]  # fmt: skip
        return synthesis(*own, *words).judge

    return build


class Flat(nn.Linear):
    """A linear layer that takes images of 4 px."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.flatten(1))


def test_the_judge_of_a_config(node, monkeypatch):
    monkeypatch.setattr(nn, "Linear", Flat)
    found = judge.load(node("judge.input.size=4"), {"the target": "another", "the encoder": None})
    assert found.ranks(colour(0.1, 0.2, 0.3), ["goldfish"])[0] in {1, 2, 3}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["judge.classes=[one]"], "has only one class"),
        (["judge.classes=null"], "has no class names: set judge.classes=imagenet"),
        (["judge.classes=imagenet"], "judge.classes=imagenet has 1000 names, but .* has 3 outputs"),
    ],
)
def test_what_is_no_judge_is_a_sentence(node, monkeypatch, words, sentence):
    monkeypatch.setattr(nn, "Linear", Flat)
    with pytest.raises(UserError, match=sentence):
        judge.load(node("judge.input.size=4", *words), {})


def test_a_judge_that_takes_no_such_input_is_a_sentence(node, monkeypatch):
    monkeypatch.setattr(nn, "Linear", Flat)
    with pytest.raises(
        UserError, match=r"the network fails on an input of shape \(2, 3, 9, 9\).*set judge\.input\.size="
    ):
        judge.load(node("judge.input.size=9"), {})


def test_a_network_that_took_part_is_no_judge(node):
    from dgn.networks import zoo

    with pytest.raises(UserError, match="is also the target, so it cannot judge: set network@judge=ANOTHER"):
        judge.load(node(), {"the target": zoo.identity(node())})
