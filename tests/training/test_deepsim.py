"""An iteration of G and D, literally, and what its checkpoint holds."""

from functools import partial

import pytest
import torch
from pytorch_lightning.plugins import MixedPrecision
from torch.optim.optimizer import register_optimizer_step_pre_hook

from dgn.base import lightning
from dgn.base.errors import UserError
from dgn.networks.features import Features
from dgn.training import losses
from dgn.training.balance import Alternate, Released
from dgn.training.deepsim import DeepsimTraining
from dgn.training.discriminator import Discriminator
from dgn.training.optimisers import adam

STEP = partial(torch.optim.SGD, lr=1.0)  # an update is the gradient itself
CPU = {"accelerator": "cpu", "devices": 1, "precision": "64-true"}


@pytest.fixture
def training(tiny, contract, generator):
    """A small float64 run: `build(balance=…, code=…)`."""

    def build(balance=None, code=0.0, warm_up=0, ema=None, **more):
        torch.manual_seed(5)
        read = Features(tiny, ["fc", "conv"], contract, activated=True)
        discriminator = Discriminator(
            size=16, code_shape=(12,), outputs=1, convs=[[8, 4, 2, 1], [8, 4, 2, 1]], pool=False, image=[16], code=[8],
            head=[], dropout=0, slope=0.2, spectral=False, caffe=False,
        )  # fmt: skip
        return DeepsimTraining(
            encoder=read, comparator=read, kept=None, begun={}, generator=generator(), discriminator=discriminator,
            pixel={"weight": 2.0, "distance": partial(losses.mean_square, variance=0.1)},
            feature={"weight": 0.6, "distance": losses.relative, "layers": {"conv": 1.0}},
            adversarial={"weight": 0.15, "kind": losses.Hinge()},
            code={"weight": code, "distance": losses.relative}, balance=balance or Alternate(1),
            optimiser_g=STEP, optimiser_d=STEP, schedule=lambda done: 1.0, iterations=4, warm_up=warm_up,
            ema=ema, share_every=1,
            **({"pixels_first": 0, "own_clocks": False, "export_weights": "raw", "accumulate": 1, "clip": None} | more),
        ).double()  # fmt: skip

    return build


def run(module, steps=1, images=3):
    """Some iterations on random images; their logs."""
    logs = []
    images = torch.rand(steps, images, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    class Keep(lightning.pl.Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            logs.append({name: float(value) for name, value in outputs.items()})

    trainer = lightning.trainer(CPU, [Keep()], [], max_epochs=1)
    batches = torch.utils.data.DataLoader([(x, 0, torch.arange(len(x))) for x in images], batch_size=None)
    trainer.fit(module, batches)
    return logs, images, trainer


def copies(module):
    """The parameters of G and D by name, as they are now."""
    return {name: value.detach().clone() for name, value in module.named_parameters() if value.requires_grad}


@pytest.mark.parametrize("code_weight", [0.0, 0.3])
def test_an_iteration_literally(training, code_weight):
    module = training(code=code_weight)
    before = copies(module)
    e, g, d = module.encoder, module.generator, module.discriminator
    state = {"g": g.state_dict(), "d": d.state_dict()}
    state = {who: {k: v.clone() for k, v in tensors.items()} for who, tensors in state.items()}
    _, images, _ = run(module)
    after = copies(module)

    g.load_state_dict(state["g"])
    d.load_state_dict(state["d"])
    x = images[0]
    seen = e.all(x)
    code = seen["fc"]
    fake = g(code).detach()
    loss_d = 0.15 * (torch.relu(1 - d(x, code)).mean() + torch.relu(1 + d(fake, code)).mean())
    names = list(dict(d.named_parameters()))
    for name, gradient in zip(names, torch.autograd.grad(loss_d, d.parameters()), strict=True):
        torch.testing.assert_close(
            before[f"discriminator.{name}"] - after[f"discriminator.{name}"], gradient, rtol=1e-9, atol=1e-12
        )
    d.load_state_dict({k: after.get(f"discriminator.{k}", v) for k, v in state["d"].items()})
    y = g(code)
    again = e.all(y)

    def relative(a, b):
        return ((a - b).flatten(1).square().sum(1) / a.flatten(1).square().sum(1)).mean()

    loss_g = 2 * ((x - y) ** 2).mean() / 0.1 + 0.6 * relative(seen["conv"], again["conv"])
    loss_g = loss_g - 0.15 * d(y, code).mean() + code_weight * relative(code, again["fc"])
    for (name, _), gradient in zip(g.named_parameters(), torch.autograd.grad(loss_g, g.parameters()), strict=True):
        torch.testing.assert_close(
            before[f"generator.{name}"] - after[f"generator.{name}"], gradient, rtol=1e-9, atol=1e-12
        )


def test_a_batch_in_parts_gives_the_same_step(training):
    """Without batch norm the gradient of a mean is the mean of the parts' gradients."""
    after = []
    for parts in (1, 3):
        module = training(code=0.3, accumulate=parts)
        logs, *_ = run(module)
        after.append((copies(module), logs[0]))
    torch.testing.assert_close(after[1][0], after[0][0], rtol=1e-9, atol=1e-12)
    for name in ("loss/pixel", "loss/feature", "loss/adversarial", "loss/code", "loss/d_real", "loss/d_fake"):
        assert after[1][1][name] == pytest.approx(after[0][1][name], rel=1e-9)


def test_a_part_at_a_time_holds_the_graph_of_g_and_moves_its_running_averages(training, generator):
    module = training(accumulate=2)
    module.generator = generator(norm=True).double().train()
    graphs = []
    module.generator.register_forward_hook(lambda *_: graphs.append(torch.is_grad_enabled()))
    run(module, images=4)
    assert graphs == [False] * 2 + [True] * 2  # D's step first, on images without a graph
    norm = next(layer for layer in module.generator.layers if isinstance(layer, torch.nn.BatchNorm1d))
    assert norm.num_batches_tracked == 2  # once a part


def test_gradients_are_clipped_to_their_norm(training):
    module = training(clip=1e-3)
    before = copies(module)
    run(module)
    after = copies(module)
    for player in ("generator", "discriminator"):
        moved = [before[name] - after[name] for name in before if name.startswith(player)]  # plain SGD, rate 1
        assert torch.cat([m.flatten() for m in moved]).norm().item() == pytest.approx(1e-3, rel=1e-3)


def test_gradients_are_clipped_in_mixed_precision_with_the_fused_optimiser_too(training):
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    batches = torch.utils.data.DataLoader([(images, 0, torch.arange(3))], batch_size=None)
    norms = {}
    for clip in (None, 1e-3):
        module = training(clip=clip).float()
        module.optimiser_g = module.optimiser_d = adam(lr=1e-3, betas=(0.5, 0.9), weight_decay=0, caffe=False)
        seen = norms[clip] = []

        def note(optimiser, *_, seen=seen):
            gradients = [p.grad.flatten() for group in optimiser.param_groups for p in group["params"]]
            seen.append(float(torch.cat(gradients).norm()))

        hook = register_optimizer_step_pre_hook(note)
        lightning.trainer(CPU | {"precision": "bf16-mixed"}, [], [], max_epochs=1).fit(module, batches)
        hook.remove()
    assert min(norms[None]) > 0.01  # D's and G's, when nothing is clipped
    assert norms[1e-3] == pytest.approx([1e-3, 1e-3], rel=1e-3)


@pytest.mark.parametrize("optimiser", [STEP, partial(torch.optim.SGD, lr=1.0, fused=True)])
def test_gradients_are_clipped_to_their_norm_under_a_scaler(training, optimiser):
    module = training(clip=1e-3).float()
    module.optimiser_g = module.optimiser_d = optimiser
    batches = torch.utils.data.DataLoader([(torch.rand(3, 3, 16, 16), 0, torch.arange(3))], batch_size=None)
    trainer = lightning.trainer(CPU | {"precision": "32-true"}, [], [], max_epochs=1)
    scaler = torch.amp.GradScaler("cpu", init_scale=65536)  # Lightning itself allows fp16 on a GPU only
    trainer.strategy._precision_plugin = MixedPrecision("16-mixed", "cpu", scaler)
    before = copies(module)
    trainer.fit(module, batches)
    after = copies(module)
    for player in ("generator", "discriminator"):
        moved = [before[name] - after[name] for name in before if name.startswith(player)]
        assert torch.cat([m.flatten() for m in moved]).norm().item() == pytest.approx(1e-3, rel=1e-2)


def test_schedules_go_by_iterations_or_by_a_players_own_updates(training):
    for own, expected in ((False, [0.5, 0.5]), (True, [0.5, 1.0])):
        module = training(balance=Alternate(2), own_clocks=own)
        module.schedule = lambda done: 0.5 if done >= 0.5 else 1.0
        run(module, steps=3)  # D was updated in iterations 0 and 2; of 4, half are done
        rates = [optimiser.param_groups[0]["lr"] for optimiser in module.optimizers()]
        assert module.updates == {"g": 3, "d": 2}
        assert rates == expected


def test_the_average_goes_by_iterations_and_is_what_the_bundle_holds_if_asked(training):
    module = training(ema=0.5, export_weights="ema")
    start = copies(module)
    run(module, steps=1)
    after = copies(module)
    name = "layers.0.weight"
    kept = module.best().state_dict()[name]
    torch.testing.assert_close(kept, after[f"generator.{name}"])  # the first average is the weights themselves
    run(module, steps=1)
    expected = 0.5 * after[f"generator.{name}"] + 0.5 * copies(module)[f"generator.{name}"]
    torch.testing.assert_close(module.best().state_dict()[name], expected)
    assert not torch.equal(start[f"generator.{name}"], expected)
    x = torch.rand(4, 3, 16, 16, dtype=torch.float64)
    with torch.no_grad():
        assert {"inversion/fc", "raw/inversion/fc"} <= set(module.evaluate([(x,)]))
    assert training(ema=0.5, export_weights="raw").best() is not module.best()
    with pytest.raises(UserError, match=r"module\.ema"):
        training(export_weights="ema")


def test_the_average_has_the_weights_of_timms_and_the_statistics_of_g_itself(training, generator):
    model_ema = pytest.importorskip("timm.utils").ModelEmaV3
    module = training(ema=0.5)
    module.generator = generator(norm=True).double().train()
    module.average = type(module.average)(module.generator, multi_avg_fn=module.average.multi_avg_fn)
    theirs = model_ema(module.generator, decay=0.5)
    update = module.average.update_parameters

    def both(model):
        update(model)
        theirs.module.load_state_dict(model.state_dict()) if module.iteration == 0 else theirs.update(model)

    module.average.update_parameters = both
    run(module, steps=3)
    averaged = module.average.module
    torch.testing.assert_close(dict(averaged.named_parameters()), dict(theirs.module.named_parameters()))
    torch.testing.assert_close(dict(averaged.named_buffers()), dict(module.generator.named_buffers()), rtol=0, atol=0)
    name = next(name for name, _ in averaged.named_buffers() if name.endswith("running_var"))
    assert not torch.equal(averaged.get_buffer(name), theirs.module.get_buffer(name))


def test_the_shares_of_the_gradient_add_up(training):
    logs, *_ = run(training(code=0.1))
    assert sum(value for name, value in logs[0].items() if name.startswith("share/")) == pytest.approx(1)
    assert all(logs[0][f"share/{name}"] > 0 for name in ("pixel", "feature", "adversarial", "code"))


def test_the_warm_up_begins_with_pixels_alone(training):
    logs, *_ = run(training(warm_up=2), steps=3)
    assert logs[0]["share/pixel"] == 1
    assert logs[1]["share/adversarial"] == 0
    assert 0 < logs[1]["share/feature"] < 1
    assert logs[2]["share/adversarial"] > 0


def test_pixels_come_first_without_comparator_and_discriminator(training):
    module = training(pixels_first=2, code=0.3)
    before = copies(module)
    logs, *_ = run(module, steps=2)
    after = copies(module)
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"generator"}
    assert {name for name in logs[1] if name.startswith("loss/")} == {"loss/pixel"}
    assert module.balance.count == 0
    logs, *_ = run(training(pixels_first=2, warm_up=1), steps=4)
    assert [log.get("share/feature", 0) > 0 for log in logs] == [False, False, False, True]  # the warm-up comes after
    assert logs[2]["share/pixel"] == 1 and logs[3]["share/adversarial"] > 0


@pytest.mark.parametrize(("steps", "first"), [(2, 2), (1, 9)])
def test_a_longer_run_does_not_go_back_to_pixels(training, steps, first):
    _, _, trainer = run(training(pixels_first=2), steps=steps)
    state = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
    longer = training(pixels_first=9)
    longer.on_load_checkpoint(state)
    assert longer.pixels_first == first


def test_a_paused_player_stays_as_it_is(training):
    balance = Released(low=0.1, high=0.5, top=10)
    balance.train_d = False
    module = training(balance=balance)
    before = copies(module)
    logs, *_ = run(module)
    after = copies(module)
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"generator"}
    assert {"loss/d_real", "balance/train_d"} <= set(logs[0])  # the rule watches D's losses all the same


def test_a_checkpoint_holds_what_trains_and_nothing_that_is_frozen(training):
    module = training(ema=0.9)
    _, _, trainer = run(module, steps=3)
    state = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
    assert {name.split(".")[0] for name in state["state_dict"]} == {"generator", "discriminator", "average"}
    assert (state["iteration"], state["balance"]) == (3, {"count": 3})
    fresh = training(ema=0.9)
    fresh.on_load_checkpoint(state)
    fresh.load_state_dict(state["state_dict"])
    assert (fresh.iteration, fresh.balance.count) == (3, 3)
    torch.testing.assert_close(copies(fresh), copies(module), rtol=0, atol=0)


def test_evaluation_of_a_perfect_generator_is_zero(training):
    module = training()
    x = torch.rand(6, 3, 16, 16, dtype=torch.float64)
    module.best = lambda: lambda code: x
    assert module.evaluate([(x,)]) == pytest.approx(dict.fromkeys(
        ["inversion/fc", "inversion/conv", "inversion/pixels", "unexplained/fc", "unexplained/conv",
         "unexplained/pixels"], 0))  # fmt: skip
    assert module.picture(x).shape[0] == 3
