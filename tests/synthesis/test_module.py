"""The climb: the released procedure literally, rows apart, dead rows, hidden units."""

from dataclasses import replace

import pytest
import torch
from pytorch_lightning.plugins import MixedPrecision
from torch import nn

from dgn import units
from dgn.base import lightning
from dgn.generators.deepsim import Deepsim
from dgn.networks.features import Features, Preprocessing
from dgn.synthesis import transforms
from dgn.synthesis.ascent import NormalisedGradient
from dgn.synthesis.module import Synthesis
from dgn.synthesis.priors import Box
from dgn.synthesis.transforms import Parts

CPU = {"accelerator": "cpu", "devices": 1}


def climb(generator, target, moments, chosen, codes, precision="64-true", steps=200, step=8.0, end=1e-10,
          lower="zero", render="before_last_step", moves=0.0, whole=0.0, seeds=None, plugin=None,
          round=None):  # fmt: skip
    module = Synthesis(
        generator=generator, target=target, score=units.Scorer(chosen, units.Logit()),
        prior=Box(moments, k=3, lower=lower, shrink=0.99, round=round), codes=codes.clone(),
        optimiser=NormalisedGradient, seeds=seeds or range(len(codes)), views=Parts(), step=step, end=end, steps=steps,
        moves=[moves] * len(codes), whole=whole, render=render,
    )  # fmt: skip
    if precision == "64-true":
        module.double()
    trainer = lightning.trainer(CPU | {"precision": precision}, [], [], max_epochs=1)
    if plugin:
        trainer.strategy._precision_plugin = plugin
    trainer.fit(module, torch.utils.data.DataLoader(torch.arange(steps)))
    return module


def released(generator, network, unit, code, upper, size, steps=200, start=8.0, end=1e-10):
    """act_max.py, line by line: two stages, the image moved first, then the code towards the moved image."""
    for i in range(steps):
        step = start + ((end - start) * i) / steps
        code = code.detach().requires_grad_()
        canvas = generator.layers(code)  # BGR minus the mean: what deconv0 gives
        top = (canvas.shape[-1] - size) // 2
        crop = canvas.detach()[:, :, top : top + size, top : top + size].clone().requires_grad_()
        network(crop)[0, unit].backward()
        shown = crop.detach()
        moved = shown + step / crop.grad.abs().mean() * crop.grad
        target = canvas.detach().clone()
        target[:, :, top : top + size, top : top + size] = moved
        canvas.backward(target - canvas.detach())
        code = code.detach() + step / code.grad.abs().mean() * code.grad
        code = torch.maximum(torch.minimum(code, upper), torch.zeros_like(code)) * 0.99
    return code, shown


@pytest.mark.parametrize("round", [None, "floor"])
def test_nguyen2016_is_the_released_procedure(moments, round):
    torch.manual_seed(0)
    size = 13
    generator = Deepsim(code_shape=(12,), size=size, layers="fc24 fc24 fc128 8x4x4 d8 t8 d3", norm=False, slope=0.3,
                        gains={"d": 1.8, "t": 0.9}, output="caffe", code_scale=1.0)  # fmt: skip
    generator.double().eval().requires_grad_(False)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.LocalResponseNorm(5), nn.MaxPool2d(3, 2), nn.Flatten(), nn.Linear(32, 5)
    ).double()
    contract = Preprocessing(size=size, mean=(104, 117, 123), std=(1, 1, 1), scale=255, channels=3, order="bgr",
                        interpolation="bilinear", fit="crop")  # fmt: skip
    code = torch.randn(3, 12, dtype=torch.float64)
    chosen = units.parse(["3", "0", "4"], (5,), None)
    module = climb(generator, Features(network, "5", contract, False), moments, chosen, code, round=round)
    upper = (moments.mean + 3 * moments.std).double()
    upper = upper.floor() if round else upper
    shown = module.images()
    for row, unit in enumerate(chosen):
        expected, crop = released(generator, network, unit.channel, code[row : row + 1], upper, size)
        torch.testing.assert_close(module.code[row : row + 1].detach(), expected, rtol=1e-8, atol=1e-8)
        as_released = contract.normalise(shown[row : row + 1])
        torch.testing.assert_close(as_released, crop, rtol=1e-8, atol=1e-8)


@pytest.fixture
def setting(tiny, contract, generator, moments):
    """A generator, a target and moments."""
    return generator(), Features(tiny, "out", replace(contract, size=16), False), moments


@pytest.mark.parametrize("moves", [0.0, 1.0])
def test_a_row_is_the_same_alone_in_a_batch_and_in_another_order(setting, moves):
    g, target, moments = setting
    g, target = g.double(), target.double()
    chosen = units.parse([str(i % 7) for i in range(64)], (7,), None)
    codes = torch.randn(64, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    together = climb(g, target, moments, chosen, codes, steps=30, step=1.0, moves=moves)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(1))
    shuffled = climb(g, target, moments, [chosen[i] for i in order], codes[order], steps=30, step=1.0, moves=moves,
                     seeds=order.tolist())  # fmt: skip
    torch.testing.assert_close(shuffled.images(), together.images()[order], rtol=1e-8, atol=1e-8)
    for row in (0, 17, 63):
        alone = climb(g, target, moments, [chosen[row]], codes[row : row + 1], steps=30, step=1.0, moves=moves,
                      seeds=[row])  # fmt: skip
        torch.testing.assert_close(alone.images(), together.images()[row : row + 1], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("steps", "whole", "last"), [(32, 0.0625, 2), (3, 0.0625, 0), (4, 1, 4), (4, 0, 0)])
def test_the_last_steps_see_the_whole(setting, monkeypatch, steps, whole, last):
    g, target, moments = setting
    seen = []
    monkeypatch.setattr("dgn.synthesis.transforms.transform", lambda x, maps, outside: seen.append(maps.clone()) or x)
    chosen = units.parse(["1"], (7,), None)
    climb(g, target, moments, chosen, torch.rand(1, 12), steps=steps, moves=0.5, whole=whole, seeds=[9])
    assert len(seen) == steps - last
    for step, maps in enumerate(transforms.draw([9], [0.5], steps - last)):
        assert torch.equal(seen[step], maps.double())


def test_seeds_of_one_code_see_other_parts_and_give_other_pictures(setting):
    g, target, moments = setting
    chosen, codes = units.parse(["1", "1", "1"], (7,), None), torch.ones(3, 12)
    moved = climb(g.double(), target.double(), moments, chosen, codes, steps=10, step=1.0, moves=1.0, seeds=[0, 1, 0])
    torch.testing.assert_close(moved.images()[0], moved.images()[2])
    assert not torch.allclose(moved.images()[0], moved.images()[1], atol=1e-2)
    still = climb(g, target, moments, chosen, codes, steps=10, step=1.0, seeds=[0, 1, 0])
    torch.testing.assert_close(still.images()[0], still.images()[1])


def test_a_row_that_is_not_moved_is_to_the_bit_as_if_none_were(setting):
    g, target, moments = setting
    chosen, codes = units.parse(["1", "2"], (7,), None), torch.rand(2, 12)
    still = climb(g, target, moments, chosen, codes, "32-true", steps=10, step=1.0)
    module = Synthesis(
        generator=g, target=target, score=units.Scorer(chosen, units.Logit()),
        prior=Box(moments, k=3, lower="zero", shrink=0.99), codes=codes.clone(), optimiser=NormalisedGradient,
        seeds=[0, 1], views=Parts(), step=1.0, end=1e-10, steps=10, moves=[0.0, 1.0], whole=0.0,
        render="before_last_step",
    )  # fmt: skip
    lightning.trainer(CPU | {"precision": "32-true"}, [], [], max_epochs=1).fit(
        module, torch.utils.data.DataLoader(torch.arange(10))
    )
    assert torch.equal(module.images()[0], still.images()[0])
    assert not torch.equal(module.images()[1], still.images()[1])


def test_in_fp16_the_climb_is_as_in_fp32_but_for_rounding(setting):
    g, target, moments = setting
    chosen = units.parse(["1", "3", "1e-6*2"], (7,), None)  # of the last fp16 knows no gradient
    codes = torch.rand(3, 12, generator=torch.Generator().manual_seed(0))
    expected = climb(g, target, moments, chosen, codes, "32-true", steps=5, step=0.1, moves=1.0)
    fp16 = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu"))  # Lightning itself allows it on a GPU only
    module = climb(g, target, moments, chosen, codes, "32-true", steps=5, step=0.1, moves=1.0, plugin=fp16)
    assert module.alive.tolist()[:2] == [True, True]
    torch.testing.assert_close(module.code[:2], expected.code[:2], rtol=0, atol=0.05)
    torch.testing.assert_close(module.curve, expected.curve, rtol=0.02, atol=0.02)


def test_in_fp32_the_first_step_is_the_same_alone(setting):
    g, target, moments = setting
    chosen = units.parse([str(i % 7) for i in range(64)], (7,), None)
    codes = torch.randn(64, 12, generator=torch.Generator().manual_seed(0))
    together = climb(g, target, moments, chosen, codes, "32-true", steps=1, step=1.0, render="last")
    alone = climb(g, target, moments, chosen[5:6], codes[5:6], "32-true", steps=1, step=1.0, render="last")
    torch.testing.assert_close(alone.images(), together.images()[5:6], rtol=1e-4, atol=1e-4)


class Fragile(nn.Module):
    """Finite and smooth, but output 0 is constant and output 1 turns to NaN on bright images."""

    def __init__(self, inner: nn.Module, limit: float) -> None:
        super().__init__()
        self.inner, self.limit = inner, limit

    def forward(self, x):
        out = self.inner(x)
        mean = x.mean((1, 2, 3))
        return torch.stack([0 * out[:, 0], torch.where(mean > self.limit, torch.nan, mean), out[:, 2]], 1)


def test_dead_rows_stop_and_the_others_go_on(tiny, contract, generator, moments):
    codes = torch.rand(3, 12, generator=torch.Generator().manual_seed(0))
    limit = generator()(codes[1:2]).mean().item() + 1e-3
    target = Features(nn.Sequential(Fragile(tiny, limit)), "0", contract, False)
    chosen = units.parse(["0", "1", "2"], (3,), None)
    module = climb(generator(), target, moments, chosen, codes, "32-true", steps=20, step=1.0, render="last")
    assert module.alive.tolist() == [False, False, True]
    assert module.taken.tolist()[0] == 0
    assert 0 < module.taken.tolist()[1] < 20
    assert module.taken.tolist()[2] == 20
    assert torch.equal(module.code[0].detach(), codes[0])  # it keeps the image it had
    assert torch.isfinite(module.images()).all()
    assert module.curve[:, 0].isnan().all()
    assert module.curve[19, 1].isnan()
    alone = climb(generator(), target, moments, chosen[2:], codes[2:], "32-true", steps=20, step=1.0, render="last")
    torch.testing.assert_close(alone.images(), module.images()[2:], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("layer", "items", "shape"), [
    ("conv", ["3@2x5", "3", "-1"], (8, 16, 16)), ("fc", ["4", "-4"], (12,)), ("out", ["6"], (7,)),
])  # fmt: skip
def test_the_score_of_hidden_units_rises(tiny, contract, generator, moments, layer, items, shape):
    target = Features(tiny, layer, contract, activated=False)
    chosen = units.parse(items, shape, None)
    codes = torch.rand(len(chosen), 12, generator=torch.Generator().manual_seed(0))
    module = climb(generator(), target, moments, chosen, codes, "32-true", steps=60, step=0.5, end=0, lower="auto")
    assert (module.curve[-1] > module.curve[0]).all()


def test_only_the_code_is_trained(setting):
    g, target, moments = setting
    chosen = units.parse(["1"], (7,), None)
    module = climb(g.requires_grad_(False), target, moments, chosen, torch.rand(1, 12), "32-true", steps=2)
    assert [name for name, p in module.named_parameters() if p.requires_grad] == ["code"]


def test_the_default_picture_is_that_of_the_final_code(setting):
    g, target, moments = setting
    chosen = units.parse(["1"], (7,), None)
    last = climb(g, target, moments, chosen, torch.ones(1, 12), "32-true", steps=3, step=1.0, render="last")
    torch.testing.assert_close(last.images(), g(last.code))
    first = climb(g, target, moments, chosen, torch.ones(1, 12), "32-true", steps=3, step=1.0, render="first")
    torch.testing.assert_close(first.images(), g(torch.ones(1, 12)))
    before = climb(g, target, moments, chosen, torch.ones(1, 12), "32-true", steps=3, step=1.0)
    assert not torch.equal(before.images(), g(before.code))


def test_the_best_picture_is_that_of_the_highest_score_on_the_way(setting):
    g, target, moments = setting
    chosen, codes = units.parse(["1", "2"], (7,), None), torch.rand(2, 12, generator=torch.Generator().manual_seed(0))
    best = climb(g, target, moments, chosen, codes, "32-true", steps=6, step=30.0, end=0, render="best")
    at = best.curve.argmax(0)
    assert at.min() < 5  # steps so large that the score falls again
    scores = units.Scorer(chosen, units.Logit())(target(best.images()))
    torch.testing.assert_close(scores, best.curve[at, [0, 1]], rtol=1e-4, atol=1e-4)


class Watching(Box):
    """Keeps what it is shown, and goes only half as far."""

    def __init__(self, moments):
        super().__init__(moments, k=3, lower="zero", shrink=1)
        self.shown = []

    def uphill(self, gradient, step):
        self.shown.append(step)
        return gradient

    def after(self, code, step):
        return (step.code + code) / 2


def test_a_prior_sees_the_step_and_has_the_last_word(setting):
    g, target, moments = setting
    prior, codes = Watching(moments), torch.rand(2, 12)
    module = Synthesis(
        generator=g, target=target, score=units.Scorer(units.parse(["1", "2"], (7,), None), units.Logit()), prior=prior,
        codes=codes.clone(), optimiser=NormalisedGradient, seeds=[4, 8], views=Parts(), step=1.0, end=1.0, steps=3,
        moves=[1.0, 1.0], whole=0.0, render="last",
    )  # fmt: skip
    trainer = lightning.trainer(CPU | {"precision": "32-true"}, [], [], max_epochs=1)
    trainer.fit(module, torch.utils.data.DataLoader(torch.arange(3)))
    assert [step.number for step in prior.shown] == [0, 1, 2] and list(prior.shown[0].seeds) == [4, 8]
    assert torch.equal(prior.shown[0].code, codes)
    torch.testing.assert_close(prior.shown[1].pictures, g(prior.shown[1].code))  # the whole, not what the target sees
    moved = (prior.shown[1].code - codes).abs().mean(1)
    torch.testing.assert_close(moved, torch.full((2,), 0.5))
