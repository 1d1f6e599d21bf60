"""Training a classifier: the sizes of its images."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from dgn.base import images
from dgn.base.errors import UserError
from dgn.networks import weights, zoo
from dgn.training.classifier import Classifier

SETTINGS = {"classes": ["a", "b"], "iterations": 10, "peak_lr": 0.1, "warm_up": 0.1, "momentum": 0.9,
            "weight_decay": 0, "label_smoothing": 0}  # fmt: skip


class Sees(nn.Module):
    """A network for any size that notes the sides of what it is shown."""

    def __init__(self):
        super().__init__()
        self.sides, self.out = [], nn.Linear(3, 2)

    def forward(self, x):
        self.sides.append(x.shape[-1])
        return self.out(x.mean((2, 3)))


def test_images_grow_to_the_networks_own_side(contract):
    module = Classifier(network=Sees(), contract=contract, sizes=[[0.3, 0.75], [0, 0.5], [0.6, 1]], **SETTINGS)
    sides = []
    for module.iteration in range(10):
        sides.append(module.size())
    assert sides == [8] * 3 + [12] * 3 + [16] * 4


def test_it_is_measured_at_the_networks_own_side(contract):
    network = Sees()
    module = Classifier(network=network, contract=replace(contract, fit="crop"), sizes=[[0, 1]], **SETTINGS)
    for side in (16, 40, 8):
        found = module.evaluate([(torch.rand(4, 3, side, side), torch.zeros(4, dtype=torch.long), torch.arange(4))])
        assert network.sides[-1] == 16 and found.keys() == {"top1", "top5"}


def test_the_shares_of_first_and_of_five_answers(contract):
    scores = torch.tensor([[9.0, 8, 7, 6, 5, 4], [1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1], [0, 1, 0, 0, 0, 0]])
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 6))
    module = Classifier(network=network, contract=contract, sizes=[[0, 1]], **SETTINGS | {"classes": list("abcdef")})
    module.forward = lambda x: scores[: len(x)] if len(x) == 3 else scores[3:]
    first, second = torch.tensor([0, 0, 4]), torch.tensor([1])  # first, sixth, fifth; first
    batches = [(torch.rand(len(labels), 3, 16, 16), labels, labels) for labels in (first, second)]
    assert module.evaluate(batches) == {"top1": 50, "top5": 75}


def test_a_network_for_one_size_says_what_to_type(contract):
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 2))
    with pytest.raises(UserError, match=r"fails on images of 8 px: set 'module.sizes=\[\[0,1\]\]'"):
        Classifier(network=network, contract=contract, sizes=[[0, 0.5], [0.5, 1]], **SETTINGS)
    Classifier(network=network, contract=contract, sizes=[[0, 1]], **SETTINGS)


@pytest.mark.parametrize(
    "sizes", [[[0.5, 1]], [], {0.5: 1}, [0, 1], [[0, 0]], [[0, 1.5]], [[0, 1], [1, 1]], [[0, "a"]], [[0, 1, 1]], 3]
)  # fmt: skip
def test_sizes_that_are_no_pairs_from_zero_on(contract, sizes):
    with pytest.raises(UserError, match=r"set 'module.sizes=\[\[0,0.5\],\[0.5,1\]\]'"):
        Classifier(network=Sees(), contract=contract, sizes=sizes, **SETTINGS)


def test_sizes_from_the_command_line(config, contract):
    composed = config("train", "task=classifier", "module.sizes=[[0,0.5],[0.25,1]]")
    module = Classifier(network=Sees(), contract=contract, sizes=composed.module.sizes, **SETTINGS)
    assert module.sizes == [(0, 0.5), (0.25, 1)]


@pytest.mark.parametrize("fit", ["resize", "crop"])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_it_is_trained_on_what_it_is_evaluated_on(contract, fit, interpolation):
    network = Remembers()
    contract = replace(contract, fit=fit, interpolation=interpolation)
    module = Classifier(network=network, contract=contract, sizes=[[0, 0.5], [0.5, 1]], **SETTINGS)
    x = torch.rand(2, 3, 24, 24)
    module.iteration = 9
    module(module.seen(x))
    trained = network.last
    module.evaluate([(x, torch.zeros(2, dtype=torch.long), torch.arange(2))])
    assert torch.equal(trained, network.last)
    module.iteration = 0
    small = images.resize(images.crop_centre(x, 16) if fit == "crop" else x, 8, interpolation)
    assert torch.equal(module.seen(x), small)  # the same part of the image


class Remembers(Sees):
    """A network that keeps what it was shown last."""

    def forward(self, x):
        self.last = x
        return super().forward(x)


class TwiceNamed(nn.Module):
    """A module under two names, and buffers that are hard to write: a transposed, a shared and an expanded one."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6)
        self.features = nn.Sequential(self.conv, self.norm, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.out = nn.Linear(6, 2)
        self.register_buffer("turned", torch.arange(12).view(3, 4).T)
        self.register_buffer("part", self.turned[1:3])
        self.register_buffer("mask", torch.tensor([True, False]).expand(3, 2))
        self.register_buffer("closed", torch.tensor([0.0, -torch.inf]))
        self.register_buffer("small", torch.tensor([1e-9, 3e-9]))

    def forward(self, x):
        return self.out(self.features(x))


def test_weights_are_written_whatever_shares_memory_and_kept_where_fp16_has_no_number(contract, tmp_path):
    network = TwiceNamed()
    network.norm.running_var.fill_(1e5)
    module = Classifier(network=network, contract=contract, sizes=[[0, 1]], **SETTINGS)
    module.write(tmp_path / "w.safetensors")
    written = weights.read(tmp_path / "w.safetensors")
    assert written["norm.running_var"].dtype == torch.float32 and written["out.weight"].dtype == torch.float16
    assert written["small"].dtype == written["closed"].dtype == torch.float32
    again = zoo.build(f"{__name__}.TwiceNamed", {})
    weights.load(again, tmp_path / "w.safetensors")
    for name, value in network.state_dict().items():
        assert torch.allclose(again.state_dict()[name], value, rtol=1e-3, atol=1e-4), name
    assert torch.equal(again.small, network.small)


def test_what_can_never_be_written_is_refused_before_training(contract):
    class Sparse(Sees):
        def __init__(self):
            super().__init__()
            self.register_buffer("table", torch.eye(3).to_sparse())

    class Noted(Sees):
        def get_extra_state(self):
            return {"note": 1}

    for network, name in ((Sparse(), "table"), (Noted(), "_extra_state")):
        with pytest.raises(
            UserError, match=f"cannot save the weights of .*: safetensors cannot store the entry {name}"
        ):
            Classifier(network=network, contract=contract, sizes=[[0, 1]], **SETTINGS)


SMALL = """
from torch import nn


def net(classes=9):
    return nn.Sequential(nn.Flatten(), nn.Linear(768, classes))
"""


def test_the_file_knows_the_classes_their_number_and_the_input(synthesis, contract, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_small.py").write_text(SMALL)
    contract = replace(contract, mean=[0.1], std=[0.5], interpolation="nearest")
    network = zoo.build("my_small.net", {"classes": 3})
    classes = ["circle", "dots", "für"]
    module = Classifier(network=network, contract=contract, sizes=[[0, 1]], **SETTINGS | {"classes": classes})
    module.write(tmp_path / "w.safetensors")

    def node(*words):
        words = ("target._target_=my_small.net", "target.weights=w.safetensors", *words)
        return synthesis(*words).target

    assert zoo.contract(node()) == contract and zoo.classes(node()) == classes
    assert torch.allclose(zoo.module(node())[1].weight, network[1].weight, atol=1e-3)
    assert zoo.contract(node("target.input.mean=[0.3]")) == replace(contract, mean=[0.3])
    assert zoo.classes(node("target.classes=[a,b,c]")) == ["a", "b", "c"]
    with pytest.raises(UserError, match="2 of another shape"):
        zoo.module(node("target.args.classes=4"))
    words = ("network@target=caffenet64", "target.weights=w.safetensors")
    assert zoo.contract(synthesis(*words).target) == contract


class Viewed(nn.Module):
    """It takes contiguous tensors alone; its norm keeps statistics, and its train() returns nothing."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.out = nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.Linear(256, 2)

    def train(self, mode=True):
        super().train(mode)

    def forward(self, x):
        return self.out(nn.functional.dropout(self.norm(self.conv(x)), training=self.training).view(-1, 256))


def test_networks_of_contiguous_tensors_are_trained(contract):
    images = torch.rand(2, 3, 16, 16).contiguous(memory_format=torch.channels_last)
    for network, last in ((Viewed(), False), (nn.Sequential(nn.Conv2d(3, 2, 16), nn.Flatten()), True)):
        state = torch.get_rng_state()
        module = Classifier(network=network, contract=contract, sizes=[[0, 1]], **SETTINGS)
        assert (module.channels_last, network.training) == (last, True)
        assert torch.equal(torch.get_rng_state(), state)
        module(images).sum().backward()


def test_the_trial_does_not_move_a_networks_statistics(contract):
    network = Viewed()
    Classifier(network=network, contract=contract, sizes=[[0, 1]], **SETTINGS)
    assert not network.norm.running_mean.any() and not network.norm.num_batches_tracked


def test_a_network_for_no_size_or_of_other_outputs_says_so(contract):
    with pytest.raises(UserError, match=r"fails on an input of shape \(2, 3, 16, 16\).*classifier.input.size"):
        Classifier(network=nn.Sequential(nn.Flatten(), nn.Linear(9, 2)), contract=contract, sizes=[[0, 1]], **SETTINGS)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 5))
    with pytest.raises(UserError, match=r"this network returns a tensor of \(2, 5\) .*a tensor \(images, 2\)"):
        Classifier(network=network, contract=contract, sizes=[[0, 1]], **SETTINGS)
