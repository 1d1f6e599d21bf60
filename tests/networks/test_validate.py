"""A target that cannot be climbed is refused before anything runs."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from dgn.base.errors import UserError
from dgn.networks.features import Features
from dgn.networks.summary import layers
from dgn.networks.validate import check, check_arithmetic, initialise, noise, settle

IMAGE = torch.rand(1, 3, 16, 16)


def activation(features, images, arithmetic="32-true"):
    """The only layer's."""
    (found,) = check(features, images, arithmetic).values()
    return found


def test_a_sound_target_passes(tiny, contract):
    assert activation(Features(tiny, "out", contract, False), IMAGE).shape == (1, 7)


def broken(kind: str, features: Features) -> None:
    if kind == "training":
        features.network.fc.training = True
    elif kind == "trainable":
        next(features.network.parameters()).requires_grad_(True)
    elif kind == "nan":
        features.network.out.bias.fill_(float("nan"))
    elif kind == "detached":
        features.network.pool.register_forward_hook(lambda _m, _a, out: out.detach())
    elif kind == "flat":
        features.network.fc[1].weight.zero_()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("training", r"\.eval\(\)"),
        ("trainable", "requires_grad_"),
        ("nan", "NaN or inf"),
        ("detached", "no gradient reaches"),
        ("flat", "zero, NaN or missing"),
    ],
)
def test_a_broken_target_is_named(tiny, contract, kind, words):
    features = Features(tiny, "out", contract, False)
    broken(kind, features)
    with pytest.raises(UserError, match=words):
        check(features, IMAGE)


def test_tokens_and_what_sums_to_one_pass(contract):
    network = nn.Sequential(nn.Flatten(2), nn.Linear(256, 4), nn.LayerNorm(4), nn.Flatten(), nn.Softmax(1)).double()
    assert activation(Features(network, "2", contract, False), IMAGE.double()).shape == (1, 3, 4)
    assert activation(Features(network, "4", contract, True), IMAGE.double()).shape == (1, 12)


def test_a_layer_of_another_rank_is_refused(contract):
    network = nn.Sequential(nn.Unflatten(1, (3, 1)), nn.Flatten(0, 1))
    for layer in ("0", "1"):
        with pytest.raises(UserError, match="choose one that returns"):
            check(Features(network, layer, contract, False), IMAGE)


def test_a_contract_that_does_not_fit_is_named(contract):
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 5))
    with pytest.raises(UserError, match=r"fails on an input of shape \(2, 3, 16, 16\) .*set target.input.size="):
        check(Features(network, "1", contract, False), IMAGE)
    with pytest.raises(UserError, match=r"set target\.input\.size="):
        layers(network, contract)


class Called(nn.Module):
    """`inner`, called in a way of its own."""

    def __init__(self, inner, call):
        super().__init__()
        self.inner, self.call = inner, call

    def forward(self, x):
        return self.call(self.inner, x)


def settled(network, contract):
    return settle(Features(network, "output", contract, activated=False))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda inner, x: inner(x, x), "positional argument"),
        (lambda inner, x: inner(x.half()), "Half|dtype"),
        (lambda inner, x: inner(x.transpose(2, 3)).t().view(-1), "size and stride"),
    ],
    ids=["argument", "dtype", "view"],
)
def test_the_size_is_not_blamed_for_everything(tiny, contract, call, words):
    with pytest.raises(UserError, match=words) as caught:
        settled(Called(tiny, call), contract)
    assert "input.size" not in str(caught.value)


def test_a_train_that_returns_nothing_is_no_matter(tiny, contract):
    class Silent(type(tiny)):
        def train(self, mode=True):
            super().train(mode)

    assert not settled(Silent(), contract).network.training


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_networks_of_other_floating_types_are_read_in_fp32(tiny, contract, dtype):
    target = settled(tiny.to(dtype), contract)
    assert activation(target, noise(contract)).dtype is torch.float32


def test_a_network_that_casts_its_input_itself_keeps_its_type(tiny, contract):
    target = settled(Called(tiny.double(), lambda inner, x: inner(x.double())), contract)
    assert activation(target, noise(contract)).dtype is torch.float64


def test_a_network_that_needs_two_images_is_given_one_twice(contract):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), Called(nn.AdaptiveAvgPool2d(1), lambda pool, x: pool(x).squeeze()))
    target = settled(network, contract)
    x = noise(contract)
    assert (target.least, target(x[:1]).shape) == (2, (1, 4))
    torch.testing.assert_close(target(x[:1]), target(x)[:1])


def test_rows_that_depend_on_each_other_are_told(contract, capsys):
    for norm, told in ((nn.BatchNorm2d(4, track_running_stats=False), True), (nn.BatchNorm2d(4), False)):
        settled(nn.Sequential(nn.Conv2d(3, 4, 3), norm), contract)
        assert ("the results depend on batch_size" in capsys.readouterr().out) is told


def test_lazy_modules_get_their_weights_from_a_first_pass(contract):
    lazy = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(5))
    with pytest.raises(UserError, match="lazy layers without weights"):
        Features(lazy, "2", contract, activated=False)
    initialise(lazy, contract)
    assert lazy.training
    with pytest.raises(UserError, match=r"set encoder\.input\.size"):
        initialise(nn.Sequential(nn.LazyLinear(2), nn.Flatten(), nn.Linear(7, 2)), contract, "encoder")
    assert activation(settled(lazy, contract), noise(contract)).shape == (2, 5)


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_checkpointing_that_allows_no_gradient_is_a_sentence(tiny, contract):
    target = settled(Called(tiny, lambda inner, x: checkpoint(inner, x, use_reentrant=True)), contract)
    with pytest.raises(UserError, match="switch its gradient checkpointing off"):
        check(target, noise(contract))
    check(settled(Called(tiny, lambda inner, x: checkpoint(inner, x, use_reentrant=False)), contract), noise(contract))


def test_the_arithmetic_of_the_run_is_tried(contract):
    def filled(inner, x):
        out = torch.zeros(len(x), 8, 14, 14)
        out[:, torch.arange(0, 8, 2)] = inner(x)
        return out

    target = settled(Called(nn.Conv2d(3, 4, 3), filled), contract)
    assert activation(target, noise(contract), "32-true").shape == (2, 8, 14, 14)
    with pytest.raises(UserError, match=r"the target runs in fp32 but not in bf16-mixed .*trainer.precision=32-true"):
        check(target, noise(contract), "bf16-mixed")
    check_arithmetic(target, lambda x: [target.network.inner(x)], noise(contract), "bf16-mixed")


def test_a_network_that_fails_behind_its_layer_is_told(tiny, contract, capsys):
    settle(Features(tiny, "conv", contract, False))
    assert capsys.readouterr().out == ""
    settle(Features(tiny, "conv", replace(contract, size=24), False), "encoder")
    assert capsys.readouterr().out == (
        "warning: the encoder fails behind conv on images of 24 px: set encoder.input.size if it was trained at "
        "another size\n"
    )
