"""The steps of claims: what is left, in which order, and that none is taken twice."""

import pytest

from dgn.base.errors import UserError
from dgn.paper import steps
from dgn.paper.steps import Step
from tests.paper.conftest import CLAIM


def test_what_a_claim_needs_comes_first_and_each_step_once(paper):
    second = CLAIM | {"measured": []}
    plan = steps.plan(paper({"a_claim": CLAIM, "another": second}), [])
    assert [step.name for step in plan] == ["net training", "exp pictures", "exp measures 0"]
    assert plan[0].words == [
        "train",
        "experiment=networks/net",
        "data.root=DIR",
        "output=runs/paper/net",
        "resume=true",
    ]
    assert plan[2].words[:3] == ["measure", "runs/paper/pictures/exp/one", "runs/paper/pictures/exp/other"]
    assert plan[2].words[3:] == ["judge.weights=FILE", "output=runs/paper/pictures/exp/compared-0"]
    assert sum(step.hours for step in plan) == 2.5 and not any(step.done() for step in plan)


def test_a_network_that_is_there_is_not_made_and_its_data_not_asked_for(paper, finished):
    plan = steps.plan(paper(places=None), ["a_claim"])
    assert plan[0].done() and not plan[1].done()


@pytest.mark.parametrize(
    ("keys", "names", "sentence"),
    [
        ({"places": None}, [], "places has no value: set places=DIR"),
        ({"judge_weights": None}, [], "judge_weights has no value: set judge_weights=FILE"),
        ({}, ["a_clam"], "the paper has no claim 'a_clam': did you mean 'a_claim'?"),
    ],
)
def test_what_is_missing_is_one_sentence(paper, keys, names, sentence):
    with pytest.raises(UserError, match=sentence):
        steps.plan(paper(**keys), names)


def test_what_an_analysis_reads_is_asked_for_before_the_first_step(paper):
    read = CLAIM | {"reads": ["images"]}
    with pytest.raises(UserError, match="images has no value: set images=DIR"):
        steps.plan(paper({"a_claim": read}), [])


@pytest.fixture
def one_step(paper, tmp_path):
    (tmp_path / "net").write_bytes(b"weights")

    def build(*words, makes=None):
        return Step("a step", list(words), 0.1, makes=makes, needs=[tmp_path / "net"])

    return build


def test_a_step_that_was_taken_is_done_until_its_line_or_what_it_reads_changes(one_step, tmp_path):
    step = one_step("networks")
    assert not step.done() and steps.take(step) > 0 and step.done()
    assert "caffenet64" in (steps.FOLDER / "logs/a-step.log").read_text()
    assert not one_step("networks", "caffenet64").done()
    (tmp_path / "net").write_bytes(b"others")
    assert not step.done()
    (tmp_path / "net").unlink()
    assert not step.done()


def test_a_step_that_fails_says_why_and_is_not_done(one_step, tmp_path):
    step = one_step("network")
    with pytest.raises(
        UserError, match=r"^a step failed \(there is no command 'network': .*\): see runs/paper/logs/a-step.log$"
    ):
        steps.take(step)
    assert not step.done()
    with pytest.raises(UserError, match="a step failed"):
        steps.take(one_step("networks", makes=tmp_path / "never made"))
