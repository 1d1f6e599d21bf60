"""Networks of every kind, with random weights, at the smallest size each takes: read, climbed, left alone."""

import time

import pytest
import torch
from torch import nn

from dgn import units
from dgn.generators import bundle
from dgn.generators.pixels import Pixels
from dgn.networks import libraries
from dgn.networks.features import Features
from dgn.networks.preprocessing import Preprocessing
from dgn.networks.preserve_state import preserve_state
from dgn.networks.summary import layers
from dgn.networks.validate import check
from dgn.synthesis.api import configure
from dgn.synthesis.climb import Bar, climb
from dgn.units.target import Target

WORDS = ("ascent.noise=0.27", "ascent.step=0.02", "ascent.end=0", "ascent.steps=3", "ascent.transform_strength=0",
         "prior=box", "prior.shrink=1", "batch_size=1", "trainer.precision=32-true")  # fmt: skip

TORCHVISION = {  # name: size, hidden layers of which each kind of activation is read, further arguments
    "alexnet": (64, ["features.6"], {}),
    "vgg16": (32, ["features.21"], {}),
    "googlenet": (32, ["inception4a"], {"init_weights": False}),
    "inception_v3": (75, ["Mixed_5b"], {"init_weights": False}),
    "resnet50": (32, ["layer4.1", "layer2"], {}),
    "densenet121": (32, ["features.denseblock2"], {}),
    "mobilenet_v3_small": (32, ["features.6"], {}),
    "efficientnet_b0": (32, ["features.4"], {}),
    "convnext_tiny": (32, ["features.3"], {}),
    "vit_b_32": (32, ["encoder.layers.encoder_layer_3", "encoder.ln@cls"], {"image_size": 32}),
    "swin_t": (32, ["features.3"], {}),
}
TIMM = {
    "test_resnet": (32, ["layer4"], {}),
    "test_efficientnet": (32, ["blocks.2"], {}),
    "test_vit": (32, ["blocks.3", "norm@mean"], {"img_size": 32}),
    "test_convnext": (32, ["stages.2"], {}),
    "test_mambaout": (32, ["stages.1"], {}),
    "mobilenetv3_small_050": (32, ["blocks.3"], {}),
    "regnety_002": (32, ["s3"], {}),
}


def state(network):
    """What must be as before afterwards."""
    tensors = [*network.parameters(), *network.buffers()]
    return (
        [(id(t), t.data_ptr(), t.stride(), t.requires_grad, t.grad is None) for t in tensors],
        [t.sum().item() for t in tensors],
        [module.training for module in network.modules()],
        [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules()],
    )


def rises(network, layer, contract):
    """Whether a unit's score rises, through the climb of the command; gradients that do not arrive are an error."""
    g = Pixels(size=contract.size, channels=contract.channels)
    features = Features(network, layer, contract, activated=False)
    images = torch.rand(1, contract.channels, contract.size, contract.size)
    (shape,) = (x.shape[1:] for x in check(features, images).values())
    chosen = units.parse(["0+1+2+3+4", "2*0-1*1+3+4"], shape, None)
    target = Target(features, chosen, lambda rows: units.Scorer(rows, units.Logit()), False)
    prior = bundle.Bundle(g, g.moments(), torch.empty(0), {})
    found = climb(configure(None, None, WORDS)[0], prior, target, [(unit, 0) for unit in chosen], Bar(1))
    assert found.alive.all()
    return bool((found.curves[:, -1] > found.curves[:, 0]).all())


def walk(network, size, hidden):
    """Every named layer and the output of a network in training mode that has one frozen parameter."""
    contract = Preprocessing(size=size, mean=[0.45], std=[0.25], scale=1, channels=3, order="rgb",
                             interpolation="bilinear", fit="resize")  # fmt: skip
    for head in network.modules():  # some begin with an output of zeros, which no image moves
        if isinstance(head, nn.Linear) and not head.weight.any():
            nn.init.normal_(head.weight, std=0.02)
    network.train()
    next(network.parameters()).requires_grad_(False)
    before = state(network)
    listed = {layer.name for layer in layers(network, contract)}
    for layer in ["output", *hidden]:
        assert layer.partition("@")[0] in listed
        with preserve_state(network):
            assert rises(network, layer, contract), layer
    assert state(network) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvisions(name):
    size, hidden, args = TORCHVISION[name]
    torch.manual_seed(0)
    walk(libraries.torchvision_model(name, num_classes=10, **args), size, hidden)


@pytest.mark.slow
@pytest.mark.parametrize("name", TIMM)
def test_timms(name):
    pytest.importorskip("timm")
    size, hidden, args = TIMM[name]
    torch.manual_seed(0)
    walk(libraries.timm_model(name, num_classes=10, **args), size, hidden)


@pytest.mark.slow
def test_a_hundred_calls_leave_no_growth(tiny, contract):
    before = state(tiny)
    seconds = []
    for _ in range(100):
        started = time.process_time()
        with preserve_state(tiny):
            rises(tiny, "fc", contract)
        seconds.append(time.process_time() - started)
    assert state(tiny) == before
    assert min(seconds[70:]) < 1.5 * min(seconds[:30])  # the least: what else runs here only adds
