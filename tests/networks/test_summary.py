"""The listing of a network's layers."""

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from torch import nn

from dgn.cli import main
from dgn.networks.features import Features
from dgn.networks.summary import layers, table
from dgn.synthesis.list_layers import member
from tests.commands import run


def test_shapes_parameters_and_flops(tiny, contract):
    found = {layer.name: layer for layer in layers(tiny, contract)}
    conv = 2 * 3 * 9 * 8 * 16 * 16  # a multiplication and an addition for each of kernel, output and position
    assert (found["conv.0"].shape, found["conv.0"].parameters) == ((8, 16, 16), 8 * 27 + 8)
    assert found["conv.0"].flops == found["conv"].flops == found["pool"].flops == conv
    assert found["fc"].flops == conv + 2 * 128 * 12
    assert (found["output"].shape, found["output"].kind) == ((7,), "Tiny")
    assert found["output"].flops == found["out"].flops == conv + 2 * 128 * 12 + 2 * 12 * 7
    assert found["output"].parameters == sum(p.numel() for p in tiny.parameters())


def test_attention_is_counted(contract):
    class Fused(nn.Module):
        def forward(self, x):
            return nn.functional.scaled_dot_product_attention(x, x, x)

    tokens, width = 16, 16
    attention = 2 * 2 * tokens * tokens * width  # the products of queries and keys, and of these and values
    front = [nn.Conv2d(3, 1, 1), nn.Flatten(1, 2)]
    found = {layer.name: layer for layer in layers(nn.Sequential(*front, Fused()), contract)}
    assert found["2"].flops - found["1"].flops == attention
    block = nn.TransformerEncoderLayer(width, 2, 32, batch_first=True)
    found = {layer.name: layer for layer in layers(nn.Sequential(*front, block), contract)}
    linear = 2 * tokens * width * (4 * width + 2 * 32)
    assert found["2"].flops - found["1"].flops == linear + attention


def test_every_listed_layer_can_be_read(tiny, contract):
    for layer in layers(tiny, contract):
        found = Features(tiny, layer.name, contract, activated=False)(torch.rand(1, 3, 16, 16))
        assert tuple(found.shape[1:]) == layer.shape


def test_what_is_not_run_is_not_listed_and_nothing_stays(tiny, contract):
    tiny.unused = nn.Linear(3, 3)
    tiny.train()
    names = [layer.name for layer in layers(tiny, contract)]
    assert "unused" not in names
    assert tiny.training and not any(module._forward_hooks for module in tiny.modules())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("caffenet64", ["network@target=caffenet64"]),
        ("squeezenet1_1", ["network@target=squeezenet1_1"]),
        ("resnet18", ["network@target=torchvision", "target.args.name=resnet18"]),
        ("my_pkg.MyNet", ["target._target_=my_pkg.MyNet"]),
    ],
)
def test_a_network_by_any_of_its_names(name, words):
    assert member(name) == words


def test_timms_names_count():
    pytest.importorskip("timm")
    assert member("tf_efficientnet_lite1")[0] == "network@target=timm"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A user's folder with a module and a network's YAML, and no application of Hydra's around."""
    (tmp_path / "network").mkdir()
    (tmp_path / "network/mine.yaml").write_text("defaults: [custom]\n_target_: my_listed.Net\ninput: {size: 16}\n")
    (tmp_path / "my_listed.py").write_text(
        "from torch import nn\n\n\ndef Net(width=4):\n    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU())\n"
    )
    monkeypatch.chdir(tmp_path)
    GlobalHydra.instance().clear()
    return tmp_path


def test_ones_own_networks_are_listed(folder, capsys):
    main(["networks", "mine", f"--config-dir={folder}", "target.args.width=5"])
    shown = capsys.readouterr().out
    assert [line.split()[:3] for line in shown.splitlines()] == [
        ["layer", "kind", "shape"], ["0", "Conv2d", "5x14x14"], ["1", "ReLU", "5x14x14"],
        ["output", "Sequential", "5x14x14"],
    ]  # fmt: skip
    main(["networks", "my_listed.Net", "target.input.size=8"])
    assert capsys.readouterr().out.count("4x6x6") == 3
    main(["networks", "squeezenet1_1"])  # its weights are a file that does not ship, and are not needed
    assert "1000" in capsys.readouterr().out


def test_without_a_name_the_networks_are_listed(capsys):
    main(["networks"])
    assert "caffenet64" in capsys.readouterr().out.splitlines()


def test_class_names_are_listed_with_their_indices(folder, capsys):
    main(["networks", "caffenet64", "--classes"])  # from its weights file
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 200 and lines[0].split() == ["0", "goldfish"]
    main(["networks", "squeezenet1_1", "--classes"])  # without a weights file
    assert "  980  volcano" in capsys.readouterr().out.splitlines()
    main(["networks", "squeezenet1_1", "--classes", "target.classes=[a,b]"])
    assert capsys.readouterr().out.splitlines() == ["    0  a", "    1  b"]
    main(["networks", "torchvision", "target.args.name=squeezenet1_1", "--classes"])
    assert len(capsys.readouterr().out.splitlines()) == 1000


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["my_listed.Net", "target.input.size=8", "--classes"],
            "my_listed.Net has no class names: set target.classes=",
        ),
        (["torchvision", "target.args.name=squeezenet1_1", "target.args.num_classes=7", "--classes"], "no class names"),
        (["caffenet46"], "there is no network 'caffenet46': did you mean 'caffenet64'"),
        (["caffenet64", "target.inputt=3"], "there is no key 'target.inputt'"),
        (["caffenet64", "target.input.size=abc"], "input.size=abc is not a whole number"),
        (["my_listed.Nets"], "cannot import"),
        (["my_listed.net"], "did you mean 'Net'"),
        (["MyListed"], "a class of your own: MODULE.CLASS"),
        (["my_listed:Net"], "a class of your own: MODULE.CLASS"),
        (["torchvision"], "target.args.name has no value: set target.args.name="),
        (["torchvision", "target.args.name=resnt50"], "did you mean 'resnet50'"),
        (["timm", "target.args.model_name=resnt50"], "did you mean 'resnet50'"),
    ],
)
def test_a_mistake_is_a_sentence(folder, words, sentence):
    if words[0] == "timm":
        pytest.importorskip("timm")
    with pytest.raises(SystemExit) as stop:
        main(["networks", *words])
    assert str(stop.value).startswith("error: ")
    assert sentence in str(stop.value)
    assert "\n" not in str(stop.value)


@pytest.mark.slow
def test_the_command_as_it_is_typed():
    shown, _ = run("-m", "dgn", "networks", "caffenet64")
    assert shown.splitlines()[-1].split() == ["output", "CaffeNet64", "200", "4,208,904", "153.4"]


def test_a_layer_that_runs_several_times_says_so(contract):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.once, self.relu = nn.Conv2d(3, 3, 1), nn.ReLU()

        def forward(self, x):
            return self.relu(self.once(self.relu(x)))

    found = {layer.name: layer.runs for layer in layers(Twice(), contract)}
    assert found == {"relu": 2, "once": 1, "output": 1}
    lines = table(layers(Twice(), contract)).splitlines()
    assert [line.endswith("first of 2 runs") for line in lines] == [False, True, False, False]
