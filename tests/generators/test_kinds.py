"""One class and one YAML from outside the package: a G that is trained and kept in a bundle, and a prior."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dgn import settings
from dgn.base.errors import UserError
from dgn.cli.run import model
from dgn.generators import bundle, kinds
from dgn.settings.check import check
from dgn.synthesis.climb import climb
from dgn.synthesis.load import load
from dgn.training.tasks import build_generator

ROOT = Path(__file__).parents[2]
MODULE = """
from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from dgn.generators.base import Generator
from dgn.synthesis.priors import Prior


class MyG(Generator):
    def __init__(self, *, code_shape: list[int], size: int, width: Annotated[int, Field(ge=1)]):
        super().__init__()
        self.args = {"code_shape": list(code_shape), "size": size, "width": width}
        self.code_shape, self.size = tuple(code_shape), size
        self.layers = nn.Sequential(nn.Linear(code_shape[0], width), nn.Linear(width, 3 * size * size))
        self.ramp = torch.linspace(0.9, 1, size)  # no weight: computed anew whenever it is built

    def forward(self, code):
        return self.layers(code).sigmoid().view(-1, 3, self.size, self.size) * self.ramp.to(code.device)


class Plain(nn.Module):
    pass


class MyPrior(Prior):
    def __init__(self, moments, *, most: Annotated[float, Field(gt=0)]):
        super().__init__(moments)
        self.most = most

    def apply_to(self, code):
        return code.clamp(-self.most, self.most)
"""
FILES = {
    "my_kinds.py": MODULE,
    "generator/mine.yaml": "kind: my_kinds.MyG\nsize: ${data.crop}\nwidth: 5\n",
    "prior/mine.yaml": "_target_: my_kinds.MyPrior\nmost: 0.25\n",
}


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A user's folder with one module and two YAMLs; gives what composes with it, as `--config-dir` does."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    def checked(command, *words):
        composed = settings.composed(command, settings.words(command, words), tmp_path)
        return check(composed, model(command, composed.config))

    yield checked
    sys.modules.pop("my_kinds", None)


@pytest.fixture
def own_bundle(outside, tmp_path, moments):
    """A bundle of a class from outside, as training leaves it."""
    config = outside("train", "generator=mine", "data.crop=8", "data.resize=8")
    g = build_generator(config.generator, torch.rand(4, 12))
    path = tmp_path / "own.bundle.safetensors"
    bundle.save(path, g, moments, torch.rand(3, 12), {"encoder": "tiny"})
    return path, g


def test_a_class_from_outside_is_built_for_codes_and_kept_in_a_bundle(own_bundle):
    path, g = own_bundle
    assert (type(g).__name__, g.args) == ("MyG", {"code_shape": [12], "size": 8, "width": 5})
    again = bundle.load(path, type(g))
    code = torch.rand(2, 12)
    torch.testing.assert_close(again.generator(code), g(code), atol=2e-3, rtol=2e-2)
    assert not any(p.requires_grad for p in again.generator.parameters())


def test_a_file_names_no_code(own_bundle, small_bundle):
    path, g = own_bundle
    with pytest.raises(UserError, match=r"not imported by itself: set generator\.kind"):
        bundle.load(path)  # although the class is imported
    with pytest.raises(UserError, match="which is not imported by itself"):
        bundle.load(path, kinds.KINDS["deepsim"])
    with pytest.raises(UserError, match=r"is a deepsim, not a my_kinds\.MyG"):
        bundle.load(small_bundle, type(g))


def test_a_run_with_a_generator_and_a_prior_from_outside(outside, own_bundle):
    path, _ = own_bundle
    words = ["generator.kind=my_kinds.MyG", f"bundle={path}", "prior=mine", "units=[1]", "seeds=1", "batch_size=1",
             "ascent.steps=2", "target._target_=torch.nn.Sequential",
             "network@target=custom", "target.input.size=8"]  # fmt: skip
    config = outside("synthesize", *words)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 4))
    prior, target = load(config, network)
    climbed = climb(config, prior, target, [(target.units[0], 0)])
    assert climbed.codes.abs().max() <= 0.25 and climbed.at_bound.tolist() == [0]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["generator=mine", "generator.kind=my_kinds.Other"], "cannot import generator.kind=my_kinds.Other"),
        (["generator=mine", "generator.kind=my_kinds.Plain"], "not a subclass of dgn.generators.base.Generator"),
        (["generator=mine", "generator.width=0"], "generator.width=0 is out of range: set generator.width to 1 or"),
        (["generator=mine", "+generator.depth=1"], "there is no key 'generator.depth': did you mean 'width'"),
    ],
)
def test_a_mistake_in_a_generator_from_outside_is_a_sentence(outside, words, sentence):
    config = outside("train", *words)
    with pytest.raises(UserError, match=sentence):
        build_generator(config.generator, torch.rand(4, 12))


@pytest.mark.parametrize(
    ("command", "words", "sentence"),
    [
        ("synthesize", ["generator=small"], "generator=small is for dgn train"),
        ("synthesize", ["generator=deepsim"], "generator=deepsim is for dgn train"),
        ("synthesize", ["generator=mine"], "generator=mine is for dgn train"),
        ("train", ["generator=pixels"], "set generator=small"),
        ("train", ["generator._target_=my_kinds.Plain"], "set generator=small"),
    ],
)
def test_a_generator_for_the_other_command_is_a_sentence(outside, command, words, sentence):
    with pytest.raises(UserError, match=sentence):
        outside(command, *words)


@pytest.mark.slow
def test_both_commands_with_one_class_and_one_yaml_from_outside(outside, tmp_path):
    def run(script, *words):
        line = [sys.executable, str(ROOT / script), f"--config-dir={tmp_path}", "debug=true", *words]
        made = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
        assert made.returncode == 0, made.stdout + made.stderr

    run("train.py", "generator=mine", "data=photos", "output=trained")
    file = next((tmp_path / "trained").glob("*.bundle.safetensors"))
    words = [f"bundle={file}", "generator.kind=my_kinds.MyG"]
    run("synthesize.py", *words, "prior=mine", "units=lemon", "output=made")
    assert load_file(tmp_path / "made/codes.safetensors")["codes"].abs().max() <= 0.25
