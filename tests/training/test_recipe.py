"""What `auto` becomes: G's first weights, the code term, the number of iterations."""

import pytest
import torch

from dgn.settings.check import check
from dgn.settings.compose import composed
from dgn.training import recipe
from dgn.training.settings import GeneratorSettings
from dgn.training.tasks import build_generator

LITE0 = ("network@encoder=efficientnet_lite0", "encoder.layer=global_pool")


def chosen(*words, codes=(8, 1024)):
    config = check(composed("train", words), GeneratorSettings)
    return recipe.chosen(config, build_generator(config.generator, torch.rand(codes)))


@pytest.mark.parametrize(
    ("words", "codes", "init", "code", "iterations"),
    [
        ((), (8, 1024), None, 0.3, 20_000),  # the code that the shipped G inverts: trained anew
        (("encoder.layer=fc7",), (8, 1024), "caffenet64-fc6", 0.3, 1500),
        (LITE0, (8, 1280), "caffenet64-fc6", 0, 1500),
        ((*LITE0, "init=null"), (8, 1280), None, 0, 20_000),
        ((*LITE0, "generator.widths=[64,32]"), (8, 1280), None, 0, 20_000),  # no shipped G is like it
        (("encoder.layer=conv5",), (8, 128, 4, 4), None, 0.3, 20_000),
        ((*LITE0, "iterations=7", "loss.code.weight=0.1"), (8, 1280), "caffenet64-fc6", 0.1, 7),
    ],
)
def test_auto_follows_from_encoder_and_generator(words, codes, init, code, iterations):
    config = chosen(*words, codes=codes)
    assert (config.init, config.loss["code"]["weight"], config.iterations) == (init, code, iterations)


def test_the_choice_is_one_line_and_is_not_made_twice(capsys):
    config = chosen(*LITE0, codes=(8, 1280))
    assert capsys.readouterr().out == "recipe: init=caffenet64-fc6 loss.code.weight=0 iterations=1500\n"
    generator = build_generator(config.generator, torch.rand(8, 1280))
    assert recipe.chosen(config, generator) == config and capsys.readouterr().out == ""
