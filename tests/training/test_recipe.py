"""What `auto` becomes: G's first weights, the code term, the number of iterations."""

import pytest
import torch

from dgn import data
from dgn.data.settings import UNCHANGED
from dgn.settings.check import check
from dgn.settings.compose import composed
from dgn.training import recipe
from dgn.training.settings import GeneratorSettings
from dgn.training.tasks import build_generator

LITE0 = ("network@encoder=efficientnet_lite0", "encoder.layer=global_pool")


def chosen(*words, codes=(8, 1024), images=100_000, shown=None):
    config, code = check(composed("train", words), GeneratorSettings), torch.rand(codes)
    return recipe.chosen(config, build_generator(config.generator, code, images), code, images, shown)


@pytest.mark.parametrize(
    ("words", "codes", "init", "code", "iterations"),
    [
        ((), (8, 1024), None, 0.3, 5600),  # the code that the shipped G inverts: trained anew
        (("encoder.layer=fc7",), (8, 1024), "caffenet64-fc6", 0.3, 1500),
        (LITE0, (8, 1280), "caffenet64-fc6", 0, 1500),
        ((*LITE0, "init=null"), (8, 1280), None, 0, 5600),
        ((*LITE0, "generator.widths=[64,32]"), (8, 1280), None, 0, 5600),  # no shipped G is like it
        (("encoder.layer=conv5",), (8, 128, 4, 4), None, 0.3, 5600),
        ((*LITE0, "iterations=7", "loss.code.weight=0.1"), (8, 1280), "caffenet64-fc6", 0.1, 7),
    ],
)
def test_auto_follows_from_encoder_and_generator(words, codes, init, code, iterations):
    config = chosen(*words, codes=codes)
    assert (config.init, config.loss["code"]["weight"], config.iterations) == (init, code, iterations)


@pytest.mark.parametrize(
    ("codes", "images", "widths", "rate", "iterations"),
    [
        ((8, 96, 8, 8), 3000, "narrow", 1e-3, 2000),
        ((8, 96, 8, 8), 20_000, "wide", 1e-3, 5600),
        ((8, 128), 3000, "wide", 3e-4, 1500),  # so that the shipped G's weights fit
    ],
)
def test_a_map_code_and_few_images_get_a_small_generator(codes, images, widths, rate, iterations):
    config = chosen(*LITE0, "pixels_first=0", "loss.code.weight=0", codes=codes, images=images)
    assert config.generator["widths"] == recipe.WIDTHS[widths]
    assert (config.module["optimiser_g"]["lr"], config.iterations) == (rate, iterations)


@pytest.mark.parametrize(
    ("images", "familiar", "words", "first", "code"),
    [
        (3000, False, (), 750, 0.1),
        (3000, False, ("iterations=50",), 25, 0.1),
        (3000, False, ("iterations=10000",), 1000, 0.1),
        (3000, False, ("pixels_first=7", "loss.code.weight=0"), 7, 0),
        (3000, True, (), 0, 0),
        (20_000, False, (), 0, 0),
    ],
)
def test_few_images_unlike_those_of_the_shipped_generator_begin_with_pixels(
    monkeypatch, images, familiar, words, first, code
):
    monkeypatch.setattr(recipe, "familiar", lambda config, shown: familiar)
    config = chosen(*LITE0, *words, codes=(8, 128), images=images)
    assert (config.pixels_first, config.loss["code"]["weight"]) == (first, code)


def test_photographs_are_familiar_and_noise_is_not():
    config = check(composed("train", ("data=photos",)), GeneratorSettings)
    photographs = data.build(config.data, UNCHANGED, 0).examples(32)
    assert recipe.familiar(config, photographs)
    assert not recipe.familiar(config, torch.rand(32, 3, 64, 64))


def test_what_is_set_stays(capsys):
    words = ("generator.widths=[8]", "module.optimiser_g.lr=0.1", "iterations=5", "init=null", "loss.code.weight=1",
             "pixels_first=0")  # fmt: skip
    config = chosen(*words, codes=(8, 96, 8, 8), images=10)
    assert capsys.readouterr().out == ""
    assert (config.generator["widths"], config.module["optimiser_g"]["lr"]) == ([8], 0.1)


def test_the_choice_is_one_line_and_is_not_made_twice(capsys):
    config = chosen(*LITE0, codes=(8, 1280))
    assert capsys.readouterr().out == (
        "recipe: generator.widths=[256,192,96,48] init=caffenet64-fc6 module.optimiser_g.lr=0.0003 loss.code.weight=0 "
        "iterations=1500 pixels_first=0\n"
    )
    code = torch.rand(8, 1280)
    again = recipe.chosen(config, build_generator(config.generator, code), code, 100_000, None)
    assert again == config and capsys.readouterr().out == ""
