"""A G for a network of one's own, from its class's path to pictures: vector, map, signed codes, tokens."""

import pytest

from dgn import synthesize
from dgn.base.errors import UserError
from dgn.generators import bundle
from dgn.generators.deepsim import pattern
from dgn.networks import zoo
from dgn.synthesis.priors import Box
from dgn.training import tasks

MODULE = """
from torch import nn


def Net(act, channels=3):
    act = getattr(nn, act)
    return nn.Sequential(nn.Conv2d(channels, 8, 3, 2, 1), act(), nn.Conv2d(8, 6, 3, 2, 1), act(),
                         nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Sequential(nn.Linear(96, 10), act()),
                         nn.Linear(10, 4))
"""
NET = ["network@encoder._target_=my_encoders.Net"]
VIT = ["network@encoder._target_=torchvision.models.VisionTransformer",
       *(f"encoder.args.{word}" for word in ("image_size=32", "patch_size=8", "num_layers=1", "num_heads=2",
                                             "hidden_dim=12", "mlp_dim=24", "num_classes=4"))]  # fmt: skip
GREY = ["encoder.args.channels=1", "encoder.input.channels=1", "encoder.input.mean=[0.5]", "encoder.input.std=[0.5]"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code_shape", "signed"),
    [
        ([*NET, "encoder.args.act=ReLU", "encoder.layer='6'"], (10,), False),
        ([*NET, "encoder.args.act=ReLU", "encoder.layer='3'"], (6, 8, 8), False),
        ([*NET, "encoder.args.act=SiLU", "encoder.layer='6'"], (10,), True),
        ([*VIT, "encoder.layer=encoder.ln@cls"], (12,), True),
        ([*NET, "encoder.args.act=ReLU", "encoder.layer='4'", *GREY], (6, 4, 4), False),
    ],
    ids=["vector", "map", "silu", "vit", "grey"],
)
def test_ones_own_encoder_to_pictures(words, code_shape, signed, training, image_tree, tmp_path, monkeypatch):
    (tmp_path / "my_encoders.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    sizes = ["data.resize=32", "data.crop=32", "encoder.input.size=32", "generator.hidden=16", "generator.widths=[8]"]
    config = training(f"data.root={image_tree}", "debug=true", *sizes, *words)
    (tmp_path / "out").mkdir()
    tasks.run(config, tmp_path / "out")
    (path,) = (tmp_path / "out").glob("*.bundle.safetensors")
    held = bundle.load(path)
    assert held.generator.code_shape == tuple(held.codes.shape[1:]) == code_shape
    assert bool((held.moments.negative > 0).any()) == bool((held.codes < 0).any()) == signed
    network = zoo.module(config.encoder)
    quick = ["seeds=1", "ascent.steps=6", "ascent.step=0.5", "ascent.transform_strength=0"]
    found = synthesize(network, [1], *quick, prior=held, layer=config.encoder.layer,
                       input=config.encoder.input.plain(),
                       output=tmp_path / "pictures")  # fmt: skip
    assert found.page is not None and found.page.exists()
    assert found.images.shape == (1, 3, 32, 32)
    assert found.curves[0, -1] > found.curves[0, 0]
    assert bool((Box(held.moments, k=3, lower="auto", shrink=1).lower < 0).any()) == signed


def test_tokens_are_no_code_but_one_of_them_is():
    with pytest.raises(UserError, match=r"set encoder\.layer=NAME@cls or NAME@mean"):
        pattern((5, 12), 32, 16, [8])
    assert pattern((12,), 32, 16, [8])
