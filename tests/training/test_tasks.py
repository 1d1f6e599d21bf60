"""What a training task refuses before its first iteration."""

import re

import pytest
import pytorch_lightning as pl
import torch

from dgn import settings
from dgn.base.errors import UserError
from dgn.training import tasks
from dgn.training.callbacks import duration
from dgn.training.tasks import build_generator, changes, restored
from tests.commands import ROOT, run

VECTOR, MAP = torch.rand(2, 12), torch.rand(2, 8, 4, 4)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["generator=bundle"], VECTOR, "set generator=small or generator=deepsim"),
        (["generator.kind=deepsym"], VECTOR, "there is no generator.kind 'deepsym'.*did you mean 'deepsim'"),
        (["generator.layers='fc24 fc128 8x4x5 d8 shuffle3'"], VECTOR, "do not fit a code of shape .12,."),
        (["generator.layers='fc24 fc128'"], VECTOR, "end in .128,., not in 3 channels"),
        (["generator.layers='c8 shuffle1'"], MAP, "end in .1, 8, 8., not in 3 channels"),
        (["generator.layers='c8 shuffle3'"], MAP, "make images of 8 px, but generator.size is 64"),
        (["generator=deepsim"], VECTOR, "make images of 256 px, but generator.size is 64"),
    ],
)
def test_a_generator_that_makes_no_such_images_is_a_sentence(config, words, code, sentence):
    with pytest.raises(UserError, match=sentence):
        build_generator(settings.plain(config("train", *words))["generator"], code)


def test_a_generator_of_its_words_and_size(config):
    node = settings.plain(config("train", "generator.layers='c8 d8 shuffle3'", "data.crop=14", "data.resize=14"))
    made = build_generator(node["generator"], MAP)
    assert made(MAP).shape == (2, 3, 14, 14)  # the centre of 16
    assert made.code_scale == pytest.approx(float(MAP.square().mean().sqrt()))


@pytest.mark.parametrize(("batch", "parts"), [(6, 4), (6, 6)])
def test_a_batch_without_such_parts_is_a_sentence(training, tmp_path, batch, parts):
    words = ["data=photos", f"data.batch_size={batch}", f"module.accumulate={parts}"]
    with pytest.raises(UserError, match=f"cannot split a batch of {batch} into {parts} equal parts"):
        tasks.run(training(*words), tmp_path)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["generator.size=128"], r"generator\.size=128 differs from data\.crop=64: leave generator\.size out"),
        (["generator=bundle"], "set generator=small or generator=deepsim"),
        (["discriminator.size=32"], r"discriminator\.size=32 differs from data\.crop"),
        (["discriminator=deepsim", "data.crop=32"], "images of 32 px are too small for discriminator.convs"),
        (["generator.layers='fc24 fc128 8x4xq d8 shuffle3'"], "do not fit a code of shape .1024,."),
        (["generator.layers='fc24 fc128 8x4x4 d8 c8/3'"], "do not fit a code of shape .1024,."),
        (["trainer.precision=bf16-true"], "set trainer.precision=bf16-mixed or 32-true"),
    ],
)
def test_sizes_and_words_that_do_not_fit_are_sentences(training, tmp_path, words, sentence):
    with pytest.raises(UserError, match=sentence):
        tasks.run(training("data=photos", "data.workers=0", *words), tmp_path)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["loss.pixel.weight=-1"], "loss.pixel.weight=-1 is out of range: set loss.pixel.weight to 0.0 or more"),
        (["loss.feature.layers.conv5=-1"], "loss.feature.layers.conv5=-1 is out of range"),
        (["loss.pixel.distance.variance=-1"], "loss.pixel.distance.variance=-1 is out of range"),
        (["loss.balance.every=0"], "set loss.balance.every to 1 or more"),
        (["loss=deepsim", "loss.balance.low=-1"], "loss.balance.low=-1 is out of range"),
        (["module.optimiser_g.lr=-1"], "module.optimiser_g.lr=-1 is out of range"),
        (["module.optimiser_d.betas=[0.5,1]"], "set module.optimiser_d.betas to less than 1"),
        (["module.schedule.end=-1"], "module.schedule.end=-1 is out of range"),
        (["module.share_every=0"], "set module.share_every to 1 or more"),
        (["encoder.input.scale=0"], "set encoder.input.scale to more than 0"),
        (["task=classifier", "module.peak_lr=-1"], "module.peak_lr=-1 is out of range"),
        (["task=classifier", "module.label_smoothing=-1"], "module.label_smoothing=-1 is out of range"),
    ],
)
def test_settings_that_do_nothing_or_the_opposite_are_sentences(training, words, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        training("data=photos", *words)


def test_what_a_run_goes_on_without_is_named():
    before = {"loss": {"feature": {"layers": {"conv2": 0, "pool5": 0.3}}}, "resume": False}
    now = {"loss": {"feature": {"layers": {"conv2": 1}}}, "resume": True}
    assert list(changes(before, now)) == [
        "resuming with loss.feature.layers.conv2=1 instead of 0",
        "resuming with loss.feature.layers.pool5=None instead of 0.3",
    ]


class Begun(pl.LightningModule):
    """A run that knows the weights that it reads."""

    def __init__(self, sha256):
        super().__init__()
        self.begun = {"encoder_sha256": sha256}


def test_a_run_goes_on_with_the_weights_that_it_began_with(tmp_path):
    path = tmp_path / "last.ckpt"
    for before, now in (("a", "a"), (None, "b")):
        torch.save({"begun": {"encoder_sha256": before}, "state_dict": {}, "images": 3}, path)
        assert restored(Begun(now), path, None) == 3
    torch.save({"begun": {"encoder_sha256": "a"}, "state_dict": {}, "images": 3}, path)
    with pytest.raises(UserError, match=r"last\.ckpt: it was trained with other weights of the encoder; set those"):
        restored(Begun("b"), path, None)


TRAIN = (ROOT / "train.py", "data=photos", "data.sources.count=20", "debug=true", "generator.hidden=16",
         "generator.widths=[8]")  # fmt: skip
LAYERS = ("conv2", "conv3", "conv5")  # of the feature loss
OWN = """
from collections import OrderedDict

import torch
from torch import nn


def optimiser(params, lr, betas, weight_decay):
    assert type(betas) is list
    return torch.optim.AdamW(params, lr=lr, betas=betas, weight_decay=weight_decay)


def net():
    return nn.Sequential(OrderedDict(flat=nn.Flatten(), fc=nn.Linear(3 * 48 * 48, 8), relu=nn.ReLU()))
"""


@pytest.fixture
def users(tmp_path):
    """A folder with a module of the user's."""
    (tmp_path / "my_train.py").write_text(OWN)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("optimiser", ["torch.optim.NAdam", "my_train.optimiser"])
def test_a_run_with_another_optimiser_goes_on(optimiser, users):
    words = [f"module.optimiser_g._target_={optimiser}", "~module.optimiser_g.caffe", "module.optimiser_g.lr=3e-4",
             "+module.optimiser_g._partial_=true", "output=out"]  # fmt: skip
    run(*TRAIN, *words, cwd=users)
    run(*TRAIN, *words, "resume=true", "iterations=6", cwd=users)
    saved = torch.load(users / "out/last.ckpt", weights_only=True)
    assert saved["iteration"] == 6
    assert saved["optimizer_states"][0]["state"]


@pytest.mark.slow
@pytest.mark.parametrize("role", ["encoder", "comparator"])
def test_an_input_that_a_network_of_ones_own_does_not_take_is_a_sentence(role, users):
    words = [f"{role}._target_=my_train.net", f"{role}.layer=fc", "output=out"]
    if role == "comparator":
        words += [*(f"loss.feature.layers.{name}=0" for name in LAYERS), "+loss.feature.layers.fc=1"]
    _, error = run(*TRAIN, *words, cwd=users, code=1)
    assert error.startswith("error: the network fails on an input of shape (2, 3, 224, 224)")
    assert f"set {role}.input.size=" in error and len(error.strip().splitlines()) == 1
    assert not (users / "out/config.yaml").exists()
    run(*TRAIN, *words, f"{role}.input.size=48", cwd=users)


@pytest.mark.slow
def test_the_length_of_a_run_is_estimated_once(tmp_path):
    shown, _ = run(*TRAIN, "iterations=15", "eval_every=15", f"output={tmp_path}/out")
    (line,) = re.findall(r".*images/s: .*", shown)
    assert re.fullmatch(r"\S+ images/s: about \S+ seconds left for 4 iterations, without evaluations", line)


@pytest.mark.slow
def test_the_estimate_says_when_there_is_a_bundle_to_look_at(tmp_path):
    shown, _ = run(*TRAIN, "iterations=15", "eval_every=3", f"output={tmp_path}/out")
    (line,) = re.findall(r".*images/s: .*", shown)
    assert re.search(r"every \S+ seconds a bundle to look at, \S+/out/latest\.bundle\.safetensors$", line)


@pytest.mark.slow
def test_each_evaluation_but_the_last_says_how_long_the_rest_takes(tmp_path):
    words = ["iterations=6", "eval_every=2", "log_every=2", "pixels_first=2", f"output={tmp_path}/out"]
    shown, _ = run(*TRAIN, *words)
    first, second, last = re.findall(r"iteration .*", shown)
    assert "left" not in first and "left" not in last  # of the pixels alone, which are faster; nothing is left
    assert re.search(r"observer \S+  about \S+ seconds left$", second)


@pytest.mark.slow
def test_after_the_pixels_alone_the_length_is_estimated_again(tmp_path):
    shown, _ = run(*TRAIN, "iterations=26", "eval_every=26", "pixels_first=13", f"output={tmp_path}/out")
    first, second = re.findall(r".*images/s: .*", shown)
    assert "left for 2 iterations with pixels alone, and longer for each of the others, without" in first
    assert re.fullmatch(r"\S+ images/s: about \S+ seconds left for 2 iterations, without evaluations", second)


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.2, "3 seconds"), (89, "89 seconds"), (100, "2 minutes"), (7000, "1.9 hours")]
)
def test_a_time_is_given_in_the_unit_that_a_reader_would_choose(seconds, text):
    assert duration(seconds) == text
