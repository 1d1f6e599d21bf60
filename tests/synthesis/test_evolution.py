"""Search without a gradient: populations, the prior's range, missing scores, rows apart."""

import math
import sys
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from dgn import units
from dgn.base import lightning
from dgn.base.errors import UserError
from dgn.networks.features import Features
from dgn.synthesis import evolution
from dgn.synthesis.evolution import Cma, Pairs, Sampler
from dgn.synthesis.generations import Generations
from dgn.synthesis.pictures import Pictures
from dgn.synthesis.priors import Box, Ellipsoid, Free
from dgn.synthesis.regularisers import TotalVariation
from dgn.synthesis.run import synthesize
from dgn.synthesis.transforms import Parts

pytest.importorskip("cma", reason="cma is not installed: pip install 'dgn[search]'")
CPU = {"accelerator": "cpu", "devices": 1, "precision": "32-true"}


def free(codes):
    """No range."""
    return codes


def cma(covariance="diagonal", population=12):
    return partial(Cma, population=population, covariance=covariance)


def pairs(population=12, momentum=0.5):
    return partial(Pairs, population=population, momentum=momentum, spread=1.0)


def searched(make, seed=0, steps=30):
    """A search for a point, the codes of its generations, and the mean distance to the point in each."""
    goal = torch.linspace(-1, 1, 6)
    search, seen, far = make(torch.zeros(6), seed, free), [], []
    for i in range(steps):
        codes = search.ask(0.5 * (1 - i / steps))
        away = (codes - goal).norm(dim=1)
        search.tell(codes, -away)
        seen.append(codes)
        far.append(float(away.mean()))
    return torch.stack(seen), far, search.centre


@pytest.mark.parametrize("make", [cma("full"), cma("diagonal"), cma("none"), pairs(), pairs(13)])
def test_a_search_finds_a_point(make):
    _, far, centre = searched(make)
    assert far[0] > 1.5 and far[-1] < far[0]
    torch.testing.assert_close(centre, torch.linspace(-1, 1, 6), rtol=0, atol=0.15)


def test_draws_are_as_wide_as_the_step():
    search = cma(population=200)(torch.full((40, 3), 7.0), 0, free)
    codes = search.ask(0.25)
    assert codes.shape == (200, 40, 3) and abs(float(codes.std()) - 0.25) < 0.01 and abs(float(codes.mean()) - 7) < 0.01


@pytest.mark.parametrize("make", [cma(), pairs()])
def test_a_seed_gives_its_draws_whatever_else_is_drawn(make):
    alone, _, _ = searched(make, seed=1)
    beside = make(torch.zeros(6), 1, free)
    again, _, _ = searched(make, seed=1)
    beside.ask(1.0)
    assert torch.equal(alone, again)
    assert not torch.equal(alone, searched(make, seed=2)[0])


def test_pairs_follow_their_formula():
    search = pairs(population=4, momentum=0.9)(torch.ones(3), 0, free)
    centre, velocity = np.ones(3), np.zeros(3)
    for step in (0.5, 0.25):
        codes = search.ask(step)
        torch.testing.assert_close(codes[:2] + codes[2:], 2 * search.centre.expand(2, 3))
        scores = codes[:, 0] - codes[:, 2].square()
        search.tell(codes, scores)
        c, s = codes.double().numpy(), scores.double().numpy()
        g = sum((s[i] - s.mean()) * (c[i] - c.mean(0)) for i in range(4)) / 4
        velocity = 0.9 * velocity + g
        centre = centre + step * velocity / math.sqrt(np.square(velocity).mean())
        np.testing.assert_allclose(search.centre.numpy(), centre, rtol=0, atol=1e-6)


@pytest.mark.parametrize("make", [cma(), pairs()])
def test_a_search_goes_on_without_some_scores(make):
    search = make(torch.zeros(6), 0, free)
    codes = search.ask(0.5)[: search.fewest]
    search.tell(codes, codes[:, 0])
    assert search.centre[0] > 0 and search.ask(0.5).shape == (12, 6)


class Partly(nn.Module):
    """The mean of an image where it is above a limit, else NaN."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, x):
        mean = x.mean((1, 2, 3))
        return torch.stack([torch.where(mean > self.limit, mean, torch.nan)] * 2, 1)


@pytest.fixture
def generations(tiny, contract, generator, moments):
    """Search some units from some codes."""

    def run(chosen, codes, seeds, prior=None, target=None, steps=8, moves=0.0, render="best", make=None):
        target = target or Features(tiny, "out", contract, False)
        module = Generations(
            generator=generator(), target=target, prior=prior or Box(moments, k=3, lower="auto", shrink=1),
            score=[units.Scorer([unit] * 6, units.Logit()) for unit in chosen], codes=codes.clone(), seeds=seeds,
            optimiser=make or cma(population=6), views=Parts(),
            step=0.5, end=0, steps=steps, moves=[moves] * len(codes), whole=0.0, render=render,
        )  # fmt: skip
        trainer = lightning.trainer(CPU, [], [], max_epochs=1)
        trainer.fit(module, torch.utils.data.DataLoader(torch.arange(steps)))
        return module

    return run


def test_the_score_rises_and_the_picture_is_that_of_the_highest(generations):
    chosen = units.parse(["1", "-4"], (7,), None)
    module = generations(chosen, torch.rand(2, 12), [0, 0], steps=20)
    assert (module.curve[-1] > module.curve[0]).all() and module.taken.tolist() == [20, 20]
    scores = units.Scorer(chosen, units.Logit())(module.target(module.images()))
    torch.testing.assert_close(scores, module.curve.amax(0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("moves", [0.0, 1.0])
def test_a_row_is_the_same_to_the_bit_alone_and_among_others(generations, moves):
    chosen, codes = units.parse(["1", "2", "3"], (7,), None), torch.rand(3, 12)
    together = generations(chosen, codes, [5, 6, 7], moves=moves)
    alone = generations(chosen[1:2], codes[1:2], [6], moves=moves)
    assert torch.equal(alone.best[0], together.best[1]) and torch.equal(alone.curve[:, 0], together.curve[:, 1])


class Noting(Sampler):
    """Keeps what it is told; its draws lie far outside."""

    def __init__(self, code, seed, limit):
        super().__init__(code, seed, limit, 6)
        self.drawn, self.told = [], []

    @property
    def centre(self):
        return self.told[-1].mean(0)

    def ask(self, step):
        self.drawn.append(torch.from_numpy(100 * self.random.standard_normal((6, 12))).float())
        return self.limit(self.drawn[-1])

    def tell(self, codes, scores):
        self.told.append(codes)


def test_a_search_is_told_the_codes_that_were_shown_in_the_priors_range(generations, moments):
    ellipsoid = Ellipsoid(moments, max_mahalanobis=1.5, k=3, lower="auto", shrink=1)
    module = generations(units.parse(["1"], (7,), None), torch.rand(1, 12), [0], prior=ellipsoid, make=Noting)
    (search,) = module.samplers
    for drawn, told in zip(search.drawn, search.told, strict=True):
        assert torch.equal(told, ellipsoid.apply_to(drawn)) and not torch.equal(told, drawn)


def test_pictures_without_a_score_are_left_out_and_a_row_with_too_few_ends(generations, contract):
    chosen, codes = units.parse(["0"], (2,), None), torch.rand(1, 12)
    all_there = generations(chosen, codes, [0], target=Features(nn.Sequential(Partly(0.0)), "0", contract, False))
    middle = float(all_there.curve[0, 0]) - 0.02
    some = generations(
        chosen, codes, [0], target=Features(nn.Sequential(Partly(middle)), "0", contract, False), steps=4
    )
    none = generations(chosen, codes, [0], target=Features(nn.Sequential(Partly(9.0)), "0", contract, False))
    assert all_there.alive.all() and none.taken.tolist() == [0] and not none.alive.any()
    assert some.curve[0, 0].isnan() or some.curve[0, 0] > middle
    assert torch.equal(none.best, codes) and torch.isfinite(none.images()).all()


def test_a_prior_that_acts_on_a_gradient_is_refused(moments):
    evolution.check(cma(), Free(moments), torch.rand(12))
    with pytest.raises(UserError, match="acts on a gradient, and a search has none: set prior=ellipsoid or prior=box"):
        evolution.check(cma(), TotalVariation(moments, weight=1.0, beta=2.0), torch.rand(12))


def test_without_the_library_there_is_a_sentence(synthesis, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cma", None)
    with pytest.raises(UserError, match=r"ascent=cma needs the package cma: install it by pip install 'dgn\[search\]'"):
        synthesize(synthesis("ascent=cma", "units=[3]"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("ascent", "said"), [
    ("cma", "CMA-ES with a diagonal covariance, 6 pictures a generation"),
    ("pairs", "estimated from pairs of opposite codes (6 pictures a generation)"),
])  # fmt: skip
def test_a_run_is_repeated_to_the_bit_and_its_page_says_what_searched(synthesis, small_bundle, tmp_path, ascent, said):
    words = (f"bundle={small_bundle}", "units=[3,5]", "seeds=1", f"ascent={ascent}", "ascent.steps=2",
             "ascent.optimiser.population=6", "batch_size=2")  # fmt: skip
    for name, more in {"a": (), "b": ("batch_size=1",)}.items():
        synthesize(synthesis(*words, *more), tmp_path / name, bar=False)
    first, second = (Pictures.read(tmp_path / name) for name in "ab")
    assert torch.equal(first.codes, second.codes) and torch.equal(first.curves, second.curves)
    assert torch.equal(first.images, second.images) and [row.steps for row in first.rows] == [2, 2]
    assert said in (tmp_path / "a/manifest.json").read_text()
