"""The networks and settings of the synthesis benchmarks, composed as by the commands."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dgn.base import images, lightning, process
from dgn.generators.base import Generator
from dgn.generators.bundle import Bundle
from dgn.generators.decoder import constant
from dgn.networks import zoo
from dgn.settings.check import check
from dgn.settings.keywords import configured
from dgn.synthesis.api import configure
from dgn.synthesis.load import load
from dgn.synthesis.settings import SynthesizeSettings
from dgn.training.recipe import CODE_WEIGHT, RATE
from dgn.training.settings import GeneratorSettings
from dgn.training.tasks import build_generator
from dgn.units.target import Target

ROWS = 64
UNITS = f"units=[0-{ROWS - 1}]"
LITERAL = ("ascent.transform_strength=0", "prior=box")  # what the literal procedure does
LITE0 = ("network@target=efficientnet_lite0", *LITERAL, UNITS)
SMALL = (*LITERAL, UNITS)


@dataclass
class Case:
    """Networks and settings of a climb of `ROWS` units.

    Attributes:
        config: of dgn synthesize.
        prior, target: G and the target as synthesis has them.
        network: the target as it is built, nothing folded.
        see: G and a code (1, ...) to what the target takes, as the released code has it.
    """

    config: SynthesizeSettings
    prior: Bundle
    target: Target
    network: nn.Module
    see: Callable[[Any, Tensor], Tensor]


def build(name: str) -> Case:
    """The case of that name: a function here."""
    torch.manual_seed(0)
    process.prepare()
    return {"paper": paper, "lite0": lambda: shipped(*LITE0), "small": lambda: shipped(*SMALL)}[name]()


def training(*words: str) -> GeneratorSettings:
    """The settings of dgn train with these words, and what `auto` is where the encoder is the comparator."""
    config = check(
        configured("train", [f"loss.code.weight={CODE_WEIGHT}", "pixels_first=0", *words], []), GeneratorSettings
    )
    optimiser = config.module["optimiser_g"]
    rate = RATE["wide"] if optimiser["lr"] == "auto" else optimiser["lr"]
    return config.model_copy(update={"module": config.module | {"optimiser_g": optimiser | {"lr": rate}}})


def decided(*words: str) -> SynthesizeSettings:
    """The settings of dgn synthesize with these words."""
    config, _ = configure(None, None, words)
    return config.model_copy(update={"trainer": lightning.decided(config.trainer)})


def paper() -> Case:
    """The paper's shapes: the released G for fc6 and CaffeNet at 227 px, both with random weights."""
    config = decided("experiment=nguyen2016", "target.classes=null", UNITS)
    released = training("experiment=deepsim_fc6", "data=photos", "data.crop=227")
    generator = build_generator(released.generator, torch.zeros(1, 4096)).eval().requires_grad_(False)
    moments = constant([4096], mean=1.1, std=3.7, signed=False)  # what CaffeNet's fc6 has
    network = zoo.module(config.target)
    for module in network.modules():  # PyTorch's own start lets activations die away
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    prior, target = load(config, network, Bundle(generator, moments, torch.empty(0, 4096), {}))

    def see(generator: Any, code: Tensor) -> Tensor:
        return images.crop_centre(generator.layers(code), 227)  # both sides are BGR minus the mean

    return Case(config, prior, target, network, see)


def shipped(*words: str) -> Case:
    """A target with its default bundle."""
    config = decided(*words)
    prior, target = load(config)
    contract = zoo.contract(config.target)

    def see(generator: Generator, code: Tensor) -> Tensor:
        return contract.normalise(contract.fitted(generator(code)))

    network = zoo.module(config.target)
    network.eval()
    return Case(config, prior, target, network, see)
