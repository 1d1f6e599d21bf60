"""Training from Python."""

import pytest
import torch

import dgn
from dgn import UserError
from dgn.base.errors import Stopped
from dgn.training import tasks

SMALL = {"debug": True, "data": {"resize": 16, "crop": 16, "workers": 0}}


def settings(root, **more):
    return {**SMALL, "data": SMALL["data"] | {"root": root}, **more}


def test_a_generator_is_trained_and_used(image_tree, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    state = torch.get_rng_state()
    path = dgn.train(encoder="caffenet64", **{"encoder.input": {"size": 64}}, quiet=True, output="run",
                     **settings(image_tree, iterations=2))  # fmt: skip
    assert capsys.readouterr().out == ""
    assert path.parent.name == "run" and dgn.load_bundle(path).record["layer"] == "fc6"
    assert torch.equal(torch.get_rng_state(), state)
    found = dgn.synthesize("caffenet64", "lemon", bundle=path, seeds=1, ascent={"steps": 1})
    assert found.images.shape == (1, 3, 16, 16)


def test_a_classifier_is_trained_in_a_folder_of_its_own(image_tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = [dgn.train(task="classifier", quiet=True, **settings(image_tree, iterations=1)) for _ in range(2)]
    assert all(path.is_file() for path in paths) and paths[0] != paths[1]


@pytest.mark.parametrize(
    ("words", "more", "sentence"),
    [
        ((), {"iteration": 3}, "there is no setting 'iteration': did you mean 'iterations'"),
        (("data=photo",), {}, "did you mean 'photos'"),
        ((), {"encoder": torch.nn.Linear(1, 1)}, "encoder cannot be a Linear"),
        ((), {"iterations": 0}, "set iterations to 1 or more"),
        ((), {"data": {"root": "nowhere"}}, "nowhere"),
    ],
)
def test_a_mistake_is_a_sentence(tmp_path, words, more, sentence):
    with pytest.raises(UserError, match=sentence):
        dgn.train(*words, output=tmp_path / "run", **more)


def test_an_interrupted_run_says_how_to_go_on(image_tree, tmp_path, monkeypatch):
    def stop(*_):
        raise Stopped(2, "iteration 1 is saved")

    monkeypatch.setattr(tasks, "run", stop)
    with pytest.raises(KeyboardInterrupt, match="resume=True"):
        dgn.train(output=tmp_path / "run", **settings(image_tree))
