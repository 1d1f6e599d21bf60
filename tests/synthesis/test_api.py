"""Synthesis from Python: live networks, own decoders, other channel counts."""

import json
import logging
import subprocess
import sys
import warnings
from contextlib import nullcontext

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from PIL import Image
from torch import nn

import dgn
from dgn import UserError, decoder, synthesize
from dgn.base import malloc
from dgn.generators import bundle
from dgn.synthesis.api import configure
from tests.commands import ROOT, run

QUICK = ("seeds=1", "ascent.steps=8", "batch_size=8")


def network(channels=3, activation=nn.ReLU):
    """A small network of 16-px images with a map, a vector and an output."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 6, 3, 2), nn.BatchNorm2d(6), activation(), nn.Conv2d(6, 8, 3, 2), activation(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 5),
    )  # fmt: skip


@pytest.fixture
def prior(small_bundle):
    return bundle.load(small_bundle)


def test_a_live_network_is_read_and_left_alone(prior):
    net = network().train()
    net[7].requires_grad_(False)
    net[3].eval()
    before = [(id(t), t.data_ptr(), t.stride(), t.requires_grad) for t in [*net.parameters(), *net.buffers()]]
    values = [t.clone() for t in [*net.parameters(), *net.buffers()]]
    modes = [module.training for module in net.modules()]
    found = synthesize(net, [3, "1*0-4"], *QUICK, "ascent.transform_strength=0", prior=prior, input={"size": 16})
    assert (found.images.shape, found.codes.shape, found.curves.shape) == ((2, 3, 16, 16), (2, 1024), (2, 8))
    assert [row.unit for row in found.rows] == ["3", "1*0-4"]
    assert (found.rows[0].rank is None, found.rows[1].rank is None) == (False, True)
    assert (found.curves[:, -1] > found.curves[:, 0]).all()
    assert found.page is None
    after = [*net.parameters(), *net.buffers()]
    assert before == [(id(t), t.data_ptr(), t.stride(), t.requires_grad) for t in after]
    assert all(torch.equal(a, b) for a, b in zip(values, after, strict=True))
    assert modes == [module.training for module in net.modules()]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_a_live_network_may_be_of_a_local_class_or_traced(prior):
    class Local(nn.Sequential):
        pass

    for net in (Local(*network().children()), torch.fx.symbolic_trace(network())):
        config, choices = configure(net, 1, ())
        assert choices["network@target"] == "custom" and "<locals>" in config.target.builder
        found = synthesize(net, 1, "seeds=1", "ascent.steps=1", prior=prior, input={"size": 16})
        assert found.images.shape == (1, 3, 16, 16)


class Detector(nn.Module):
    """One number an image, in a tuple, of contiguous tensors, and for two images at least."""

    def __init__(self):
        super().__init__()
        self.conv, self.pool, self.fc = nn.Conv2d(3, 4, 3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Linear(4, 1)

    def forward(self, x):
        y = self.conv(x).view(-1, 4, 64).view(-1, 4, 8, 8)
        return self.fc(self.pool(y * x.view(-1, 3 * 256).mean()).squeeze()), x


def test_one_output_has_a_score_and_neither_rank_nor_probability(prior, capsys):
    found = synthesize(Detector(), 0, "seeds=1", "ascent.steps=2", "batch_size=1", prior=prior, input={"size": 16})
    assert (found.rows[0].rank, found.rows[0].probability, found.rows[0].state) == (None, None, "done")
    told = found.log
    assert capsys.readouterr().out == ""
    assert "layer output returns several tensors; using [0]" in told and "top-1" not in told


def test_a_folder_gets_what_the_command_writes(prior, tmp_path):
    classes = tmp_path / "classes.txt"
    classes.write_text("ant\nbee\ncat\ndog\neel\n")
    out = tmp_path / "out"
    found = synthesize(
        network(), ["cat", "dog-cat"], *QUICK, prior=prior, output=out, input={"size": 16}, classes=classes
    )
    assert found.page == out / "index.html"
    assert "dog − cat" in found.page.read_text()
    about = json.loads((out / "manifest.json").read_text())
    assert about["target"]["name"] == "Sequential (live)"
    assert about["weights"] == {}  # nothing on disk stands for them
    assert {"results.csv", "grid.png", "config.yaml", "codes.safetensors"} <= {path.name for path in out.iterdir()}
    with pytest.raises(UserError, match="already holds a run"):
        synthesize(network(), "cat", prior=prior, output=out, input={"size": 16})


def test_the_prior_is_the_one_that_suits_the_network(small_bundle, tmp_path, capsys):
    suited = {"default_bundle": small_bundle, "input": {"size": 16}}
    found = synthesize(network(), 1, *QUICK, output=tmp_path / "suited", verbose=True, **suited)
    assert found.images.shape == (1, 3, 16, 16) and "prior: small\n" in capsys.readouterr().out
    assert f"\nbundle: {small_bundle}\n" in (tmp_path / "suited/config.yaml").read_text()
    synthesize(network(), 1, *QUICK, "bundle=caffenet64-fc6", output=tmp_path / "other", verbose=True, **suited)
    assert "prior: caffenet64-fc6\n" in capsys.readouterr().out
    assert configure(network(), 1, ())[0].bundle == "caffenet64-fc6"


def test_an_application_of_hydras_around_stays(prior, tmp_path):
    GlobalHydra.instance().clear()
    with initialize_config_dir(version_base="1.3", config_dir=str(tmp_path)):
        (tmp_path / "mine.yaml").write_text("a: 1\n")
        synthesize(network(), 1, *QUICK, prior=prior, input={"size": 16})
        assert compose("mine").a == 1


@pytest.mark.parametrize(
    ("target", "units", "words", "keys", "sentence"),
    [
        ("nope.Net", 1, (), {}, "cannot import the network nope.Net"),
        ("cafenet64", 1, (), {}, "did you mean 'caffenet64'"),
        (network(), "bee", (), {"input": {"size": 16}}, "set an index from 0 to 4"),
        (network(), 1, (), {"target": "x"}, "target is given twice"),
        (network(), None, (), {"input": {"size": 16}}, "no unit is chosen"),
        (network(), 1, ("sedes=1",), {}, "did you mean 'seeds'"),
        (network(), 1, ("seeds=0",), {}, "set seeds to 1 or more"),
        (network(), 1, (), {"layr": "3"}, "there is no setting 'layr': did you mean 'layer'"),
        (network(), 1, (), {"layer": "77"}, "there is no layer '77'"),
        (network(), 1, (), {"input": {"sise": 16}}, "did you mean 'size'"),
        (network(), 1, ("objective=marign",), {}, "did you mean 'margin'"),
        (
            nn.Sequential(network(), nn.Linear(5, 1)),
            0,
            ("objective=log_probability",),
            {"input": {"size": 16}},
            "the layer output has one element, .*set objective=logit",
        ),
        (
            nn.Sequential(network(), nn.Linear(5, 1)),
            0,
            ("objective=margin",),
            {"input": {"size": 16}},
            "the unit '0' names every element of the layer output, .*set objective=logit",
        ),
        (network(), 1, ("generator=custom",), {}, "generator._target_ has no value"),
        (
            "caffenet64",
            1,
            ("experiment=range_of_codes",),
            {},
            "these settings have 3 panels .*: synthesize one",
        ),
    ],
)
def test_a_mistake_is_a_sentence(target, units, words, keys, sentence):
    with pytest.raises(UserError, match=sentence):
        synthesize(target, units, *words, **keys)


def test_importing_dgn_imports_nothing_heavy():
    code = "import sys, dgn; dgn.UserError; assert not {'torch', 'hydra', 'timm'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError, match="no attribute 'synthesise'"):
        dgn.synthesise  # noqa: B018


class G(nn.Module):
    """A decoder of the user's: 6 numbers to images in [−1, 1]."""

    def __init__(self, channels=3):
        super().__init__()
        torch.manual_seed(2)
        self.layers = nn.Sequential(nn.Linear(6, channels * 64), nn.Unflatten(1, (channels, 8, 8)), nn.Upsample(16))

    def forward(self, code):
        return torch.tanh(self.layers(code))


def test_ones_own_decoder_with_measured_and_with_given_moments():
    codes = 2 + 3 * torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
    measured = decoder(G(), codes, range=(-1, 1))
    torch.testing.assert_close(measured.moments.mean, codes.mean(0))
    torch.testing.assert_close(measured.moments.std, codes.std(0, correction=0))
    assert (measured.generator.size, measured.generator.code_shape) == (16, (6,))
    image = measured.generator(codes[:4])
    torch.testing.assert_close(image, (G()(codes[:4]) + 1) / 2)
    given = decoder(G(), shape=[6], mean=1, std=2, range=(-1, 1))
    assert given.moments.mean.tolist() == [1] * 6
    assert given.moments.scale == pytest.approx(2)
    found = synthesize(network(), [1, 2], *QUICK, "start=real", prior=measured, input={"size": 16})
    assert (found.curves[:, -1] > found.curves[:, 0]).all()
    assert found.codes.shape == (2, 6)
    # the box holds the code where the real ones are: its last factor is 0.99
    box = 0.99 * (codes.mean(0) + 3 * codes.std(0, correction=0))
    assert (found.codes <= box + 1e-4).all()
    positive = decoder(G(), shape=[6], signed=False)
    assert synthesize(network(), 1, *QUICK, prior=positive, input={"size": 16}).codes.min() >= 0


def test_a_decoder_that_does_not_fit_is_a_sentence():
    for make, words in (
        (lambda: decoder(G()), "generator.codes=FILE"),
        (lambda: decoder(G(), shape=[7]), "does not accept a code of shape \\(7,\\)"),
        (lambda: decoder(nn.Linear(6, 6), shape=[6]), "returns \\(1, 6\\) of torch.float32: it must return"),
        (lambda: decoder(G(), torch.zeros(1, 6)), "moments need at least two codes"),
    ):
        with pytest.raises(UserError, match=words):
            make()


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channel_counts_from_g_to_page(tmp_path, prior, channels):
    net = network(channels)
    keys = {"size": 16, "channels": channels, "mean": [0.5], "std": [0.5]}
    own = decoder(G(channels), shape=[6], range=(-1, 1))
    found = synthesize(net, [1], *QUICK, prior=own, output=tmp_path / "own", input=keys)
    assert found.images.shape == (1, channels, 16, 16)
    assert "data:image/png" in found.page.read_text()
    # an RGB generator serves it, too, and so do pixels
    assert synthesize(net, [1], *QUICK, prior=prior, input=keys).images.shape == (1, 3, 16, 16)
    bare = synthesize(net, [1], *QUICK, "generator=pixels", output=tmp_path / "pixels", input=keys)
    assert bare.codes.shape == (1, channels, 16, 16)


def command(folder, *words, code=0):
    return "".join(run(ROOT / "synthesize.py", *words, "seeds=1", "ascent.steps=2", cwd=folder, code=code))


@pytest.mark.slow
def test_ones_own_decoder_in_one_line(users_folder):
    words = ["generator._target_=my_pkg.G", "generator.weights=g.safetensors", "generator.codes=codes.safetensors",
             "generator.args.width=4", "units=[1]", "output=out"]  # fmt: skip
    shown = command(users_folder, *words)
    assert "prior: g" in shown
    assert "removed the prefix 'module.'" in shown
    about = json.loads((users_folder / "out/manifest.json").read_text())
    assert len(about["weights"]["generator"]) == 64
    assert (users_folder / "out/index.html").exists()


@pytest.mark.slow
def test_a_mistake_with_ones_own_network_is_one_sentence(users_folder):
    shown = command(users_folder, "target._target_=my_pkg.MyNet", "target.weights=g.safetensors", "units=1", code=1)
    assert "missing (fc.bias, fc.weight, layer4.0.conv.bias, …)" in shown
    assert "Traceback" not in shown


def test_a_mistake_in_a_class_of_the_config_is_a_sentence(prior):
    with pytest.raises(UserError, match="max_mahalanobis=-1 is out of range"):
        synthesize(network(), 1, *QUICK, "prior.max_mahalanobis=-1", prior=prior, input={"size": 16})


def test_the_callers_random_stream_stays_where_it_is(prior):
    net, before = network(), torch.get_rng_state()
    synthesize(net, 1, *QUICK, prior=prior, input={"size": 16})
    assert torch.equal(torch.get_rng_state(), before)


def test_a_call_leaves_the_process_as_it_was(prior, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(malloc, "keep", lambda: pytest.fail("malloc is set for good"))
    log = logging.getLogger("pytorch_lightning")

    def state():
        return (torch.get_float32_matmul_precision(), list(warnings.filters), log.level, list(sys.path),
                torch.is_grad_enabled(), torch.is_inference_mode_enabled(), Image.MAX_IMAGE_PIXELS)  # fmt: skip

    torch.set_float32_matmul_precision("highest")
    net = network()
    for mode in (nullcontext, torch.no_grad, torch.inference_mode):
        with mode():
            before = state()
            found = synthesize(net, 1, *QUICK, prior=prior, input={"size": 16}, quiet=True)
            with pytest.raises(UserError):
                synthesize(net, "none", *QUICK, prior=prior, input={"size": 16}, quiet=True)
            with pytest.raises(UserError):
                synthesize("nowhere.Net", 1, *QUICK, quiet=True)
            assert state() == before
        assert found.rows[0].state == "done"
    assert capsys.readouterr() == ("", "")
