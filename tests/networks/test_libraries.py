"""torchvision's and timm's models by name; no test here reaches a network."""

import os
import time

import pytest
import torch

from dgn.base.errors import UserError
from dgn.networks import libraries, zoo


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Nothing answers, at once."""

    def refuse(request, timeout):
        assert timeout <= 10
        raise OSError("no network")

    monkeypatch.setattr(libraries.urllib.request, "urlopen", refuse)


def test_torchvisions_contract_is_that_of_the_weights_record(synthesis):
    node = synthesis("network@target=torchvision", "target.args.name=swin_t").target
    assert node.name == "swin_t"
    assert (node.input.size, node.input.interpolation) == (224, "bicubic")
    assert node.input.mean == [0.485, 0.456, 0.406]
    words = ["network@target=torchvision", "target.args.name=inception_v3", "target.args.weights=IMAGENET1K_V1"]
    node = synthesis(*words).target
    assert (node.input.size, node.input.interpolation) == (299, "bilinear")
    assert synthesis(*words, "target.input.size=80").target.input.size == 80


def test_timms_contract_is_that_of_the_weights_record(synthesis):
    pytest.importorskip("timm")
    node = synthesis("network@target=timm", "target.args.model_name=tf_efficientnet_lite1").target
    assert (node.input.size, node.input.mean, node.input.interpolation) == (240, [0.5] * 3, "bicubic")
    node = synthesis("network@target=timm", "target.args.model_name=resnet50.a1_in1k").target
    assert node.input.mean == [0.485, 0.456, 0.406]
    assert zoo.contract(node).channels == 3


def test_pretrained_weights_that_are_not_there_are_a_sentence_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)  # between two attempts, were there any
    with pytest.raises(UserError) as error:
        libraries.torchvision_model("squeezenet1_1", weights="DEFAULT")
    assert "squeezenet1_1-b8a52dc0.pth (no network)" in str(error.value)
    assert f"put that file into {tmp_path}/hub/checkpoints, or set target.weights=FILE" in str(error.value)
    pytest.importorskip("timm")
    with pytest.raises(UserError, match=r"huggingface.co/timm/test_resnet.*: download .*set target.weights=FILE"):
        libraries.timm_model("test_resnet", pretrained=True)
    assert sum(waits) < 1


def test_pretrained_weights_that_are_there_need_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.manual_seed(0)
    made = libraries.torchvision_model("squeezenet1_1")
    file = tmp_path / "hub/checkpoints/squeezenet1_1-b8a52dc0.pth"
    file.parent.mkdir(parents=True)
    torch.save(made.state_dict(), file)
    found = libraries.torchvision_model("squeezenet1_1", weights="DEFAULT")
    assert torch.equal(found.classifier[1].weight, made.classifier[1].weight)


class Command:
    """What a pickle would run when it is opened."""

    def __reduce__(self):
        return exec, ("raise SystemError('a weights file ran code')",)


@pytest.mark.parametrize("content", [Command(), b"", b"PK\x03\x04 cut short"])
def test_what_is_in_a_weights_file_is_not_run(tmp_path, monkeypatch, content):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    file = tmp_path / "hub/checkpoints/squeezenet1_1-b8a52dc0.pth"
    file.parent.mkdir(parents=True)
    file.write_bytes(content) if isinstance(content, bytes) else torch.save({"w": content}, file)
    with pytest.raises(UserError, match=r"b8a52dc0\.pth is damaged or holds more than weights .*: delete it"):
        libraries.torchvision_model("squeezenet1_1", weights="DEFAULT")
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


def test_timms_weights_in_the_hubs_folder_need_no_network(tmp_path, monkeypatch):
    timm = pytest.importorskip("timm")
    import huggingface_hub
    from safetensors.torch import save_file

    made = timm.create_model("test_resnet")
    save_file(made.state_dict(), tmp_path / "model.safetensors")
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: str(tmp_path / "model.safetensors"))
    found = libraries.timm_model("test_resnet", pretrained=True)
    assert torch.equal(found.fc.weight, made.fc.weight)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: libraries.torchvision_model("resnt50"), "no classifier 'resnt50': did you mean 'resnet50'"),
        (
            lambda: libraries.torchvision_model("resnet50", weights="V3"),
            "no weights 'V3': set target.args.weights=DEFAULT",
        ),
        (lambda: libraries.timm_model("resnt50"), "no model 'resnt50': did you mean 'resnet50'"),
        (lambda: libraries.timm_model("vit_nano_patch16", pretrained=True), "no model"),
        (
            lambda: libraries.timm_model("resnet10t.none"),
            "resnet10t has no weights 'none': did you mean 'resnet10t.c3_in1k'",
        ),
        (lambda: libraries.timm_model("beit3_giant_patch14_224", pretrained=True), "no pretrained weights"),
    ],
)
def test_a_wrong_name_gets_a_sentence(build, words):
    pytest.importorskip("timm")
    with pytest.raises(UserError, match=words):
        build()


def test_without_timm_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(UserError, match="pip install timm"):
        libraries.timm_model("resnet50")


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_weights_from_a_file_are_fed_as_those_that_torchvision_loads_itself(name):
    """Given ImageNet's mean and std, both take 0.5 and 0.5."""
    assert libraries.torchvision_model(name, init_weights=False).transform_input
    assert not libraries.torchvision_model(name, init_weights=False, transform_input=False).transform_input
