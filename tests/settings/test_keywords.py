"""Settings as Python has them."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dgn.base.errors import UserError
from dgn.settings.keywords import configured, plain_value
from dgn.settings.run_file import plain


def config(*keywords, command="synthesize", words=(), role="target"):
    return plain(configured(command, list(words), keywords, role if command == "synthesize" else "").config)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (torch.tensor(3), 3),
        (torch.tensor([[1.0], [2.0]], requires_grad=True), [[1.0], [2.0]]),
        (np.arange(3), [0, 1, 2]),
        (torch.Size([2, 3]), [2, 3]),
        (range(2), [0, 1]),
        ((x for x in "ab"), ["a", "b"]),
        ({2, 1}, [1, 2]),
        (Path("a/b"), "a/b"),
        (OrderedDict(size=np.int32(8), mean=(np.float64(0.5),)), {"size": 8, "mean": [0.5]}),
        ({0.5: np.int8(1)}, {0.5: 1}),
        (None, None),
    ],
)
def test_values_are_as_yaml_has_them(value, expected):
    made = plain_value(value, "key")
    assert made == expected and type(made) is type(expected)


@pytest.mark.parametrize("classes", [{0: "a", 1: "b"}, {1: "b", 0: "a"}, {"1": "b", "0": "a"}, {"a": 0, "b": 1}])
def test_classes_may_be_a_dict(classes):
    assert plain_value(classes, "target.classes") == ["a", "b"]
    assert plain_value({"classes": classes}, "target") == {"classes": ["a", "b"]}


@pytest.mark.parametrize("classes", [{1: "a"}, {0: "a", 2: "b"}, {"a": 0, "b": 0}, {}, {"x": "a"}])
def test_classes_with_a_gap_are_a_sentence(classes):
    with pytest.raises(UserError, match="classes does not name the outputs 0, 1, 2"):
        plain_value(classes, "classes")


def test_nested_and_dotted_keys_and_those_of_the_target():
    made = config(
        {"seeds": 4, "ascent": {"steps": 50}, "ascent.noise": np.float64(0), "layer": "fc6", "input.size": 32},
        {"input": {"mean": [0.5]}, "data": {"root": Path("~/images")}, "seeds": 2, "args": {"depth": 18}},
    )
    assert (made["seeds"], made["ascent"]["steps"], made["ascent"]["noise"]) == (2, 50, 0)
    assert (made["target"]["layer"], made["target"]["args"]) == ("fc6", {"depth": 18})
    assert (made["target"]["input"]["size"], made["target"]["input"]["mean"]) == (32, [0.5])
    assert made["data"]["root"] == str(Path.home() / "images")
    assert config(words=["seeds=3"])["seeds"] == 3
    assert config({"seeds": 4}, words=["seeds=3"])["seeds"] == 4


def test_every_key_of_the_config_is_a_keyword():
    made = config()
    for key, value in made.items():
        if key not in {"panels", "base_overrides", "debug"}:
            config({key: value})
    for key, value in made["target"].items():
        config({key: value})


def test_text_chooses_a_member():
    keywords = {
        **{"prior": "box", "prior.k": 2, "judge": "squeezenet1_1", "judge.weights": "x", "debug": True},
        **{"start": "image", "start.path": "x.png", "start.encoder": "efficientnet_lite0", "experiment": None},
    }
    made = configured("synthesize", ["prior=none"], [keywords])
    chosen, values = made.choices, plain(made.config)
    assert (chosen["prior"], chosen["network@judge"], chosen["debug"]) == ("box", "squeezenet1_1", "synthesize")
    assert (values["prior"]["k"], values["start"]["path"]) == (2, "x.png")
    assert values["start"]["encoder"]["name"] == "efficientnet_lite0"
    assert configured("synthesize", [], [{"prior": "box"}, {"prior": "none"}]).choices["prior"] == "none"


def test_a_key_of_version_0_1_is_the_one_of_now():
    made = config({"activated": True, "radius": 2.0, "target.suits": "x", "ascent.moves": 0})
    assert (made["post_activation"], made["target"]["max_mahalanobis"], made["bundle"]) == (True, 2.0, "x")
    assert made["ascent"]["transform_strength"] == 0


def test_a_class_of_ones_own():
    made = config({"judge": {"_target_": "my_pkg.Net", "weights": Path("n.pth")}, "generator": "my_pkg.G"})
    assert (made["judge"]["_target_"], made["judge"]["weights"]) == ("my_pkg.Net", "n.pth")
    assert made["generator"]["_target_"] == "my_pkg.G"
    made = config({"prior": {"_target_": "dgn.synthesis.priors.Shrink", "shrink": 0.9}})
    assert made["prior"] == {"_target_": "dgn.synthesis.priors.Shrink", "shrink": 0.9}  # nothing of the default is left


def test_training_has_its_own_keys():
    made = config(
        {"task": "classifier", "classifier": "caffenet64", "iterations": 7, "data": "photos"}, command="train"
    )
    assert (made["iterations"], made["classifier"]["name"], made["data"]["name"]) == (7, "caffenet64", "photos")
    made = config({"loss": "deepsim", "encoder": {"_target_": "my_pkg.Net", "layer": "fc"}}, command="train")
    assert (made["encoder"]["_target_"], made["encoder"]["layer"]) == ("my_pkg.Net", "fc")


@pytest.mark.parametrize(
    ("keywords", "sentence"),
    [
        ({"sedes": 1}, "there is no setting 'sedes': did you mean 'seeds'"),
        ({"device": "cuda"}, "there is no setting 'device': set trainer='gpu'"),
        ({"layr": "3"}, "there is no setting 'layr': did you mean 'layer'"),
        ({"asent.steps": 1}, "did you mean 'ascent'"),
        ({"seeds.x": 1}, "there is no setting 'seeds.x'"),
        ({"ascent.optimisr.lr": 1}, "there is no setting 'ascent.optimisr.lr': did you mean 'optimiser'"),
        ({"quite": True}, "did you mean 'quiet'"),
        ({"prior": "bxo"}, "there is no prior 'bxo': did you mean 'box'"),
        ({"prior": 5}, "prior=5 is neither a valid choice nor a dict of settings"),
        ({"judge": {"weights": "x"}}, "no judge is chosen"),
        ({"judge.weights": "x"}, "no judge is chosen"),
        ({"judge": nn.Linear(1, 1)}, "judge cannot be a Linear"),
        ({"ascent": {"steps": object()}}, "ascent.steps cannot be a object"),
        ({"panels": {}}, "there is no setting 'panels'"),
        ({"size": 64}, r"set input=\{'size': …\} or data="),
        ({"steps_": 64}, "there is no setting 'steps_': did you mean 'steps'"),
        ({"k": 64}, r"set prior=\{'k': …\}"),
        ({"input": 64}, r"^input=64 is not a dict: set input=\{'size': …\}"),
        ({"iterations": 64}, "it is a key of dgn train"),
        ({"data": "/a/shapes"}, "set data.root=/a/shapes"),
        ({"layer": nn.Linear(1, 1)}, "layer cannot be a Linear: give its name"),
    ],
)
def test_a_mistake_is_a_sentence(keywords, sentence):
    with pytest.raises(UserError, match=sentence):
        config(keywords)


def test_a_sweep_is_not_one_run():
    with pytest.raises(UserError, match="a call from Python is a single run"):
        config(words=["-m", "seeds=1"])
