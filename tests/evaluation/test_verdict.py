"""What is said of a prior that is not good enough."""

from pathlib import Path

import pytest

from dgn.evaluation import verdict
from dgn.report import method

RUN = {"folder": Path("runs/train-1"), "iterations": 2000, "images": 3000, "vector": False}


@pytest.mark.parametrize("value", [0.1, 0.79, float("nan")])
def test_nothing_is_said_of_a_good_prior_or_one_without_a_number(value):
    assert verdict.weak({verdict.KEY: value}) == "" and verdict.weak({}) == ""
    assert verdict.after_training({verdict.KEY: value}, "shipped", None, **RUN) == ""


def test_a_weak_prior_is_told_with_its_number_and_what_to_try():
    said = verdict.after_training({verdict.KEY: 1.066}, "shipped", 1.2, **RUN)
    assert "leave 1.07 of what another network sees" in said and "\n" not in said
    assert "output=runs/train-1 resume=true iterations=4000" in said and "more training images than 3,000" in said
    assert said.index("resume=true") < said.index("an earlier encoder.layer")
    said = verdict.after_training({verdict.KEY: 1.066}, "shipped", 1.2, **RUN | {"vector": True})
    assert said.index("an earlier encoder.layer, a map") < said.index("resume=true")


def test_a_better_shipped_prior_is_named():
    said = verdict.after_training({verdict.KEY: 0.7}, "caffenet64-fc6", 0.33, **RUN)
    assert said == "the shipped prior shows more of these images (0.33 instead of 0.70): bundle=caffenet64-fc6"
    assert verdict.after_training({verdict.KEY: 0.9}, "x", 0.3, **RUN).count("\n") == 1


def test_the_page_says_it_once():
    ways = {"start": "noise", "searched": "the code of a generator", "range": "the code was not limited"}
    weak = verdict.weak({verdict.KEY: 1})
    said = method.sentences([("a", ways | {"weak": weak}), ("b", ways | {"weak": weak}), ("c", ways)])
    assert sum("this prior is weak" in one.lower() for one in said) == 1
    assert not any("weak" in one for one in method.sentences([("a", ways | {"weak": ""})]))
