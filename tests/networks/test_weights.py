"""Weights from files: read without running code, loaded whole or not at all."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dgn.base.errors import UserError
from dgn.networks import weights


@pytest.fixture
def network():
    """Two layers and a batch norm, with its counter."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))


def same(network, state):
    return all(torch.equal(value, state[name].to(value.dtype)) for name, value in network.state_dict().items())


def other(network):
    """A state dict that fits, other than the network's own."""
    return {name: torch.full_like(value, 2) for name, value in network.state_dict().items()}


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_weights_are_loaded_and_fp16_becomes_fp32(network, tmp_path, kind):
    state = {name: value.half() if value.is_floating_point() else value for name, value in other(network).items()}
    path = tmp_path / f"w.{kind}"
    save_file(state, path) if kind == "safetensors" else torch.save(state, path)
    weights.load(network, path)
    assert network[0].weight.dtype == torch.float32
    assert same(network, state)


def test_by_order(network, tmp_path):
    state = other(network)
    torch.save({f"x{i}": value for i, value in enumerate(state.values())}, tmp_path / "w.pth")
    weights.load(network, tmp_path / "w.pth", by_order=True)
    assert same(network, state)


def test_what_does_not_fit_is_listed_and_nothing_is_loaded(network, tmp_path):
    state = other(network) | {"extra": torch.ones(1)} | {f"more.{i}": torch.ones(1) for i in range(4)}
    del state["2.bias"]
    state["0.weight"] = torch.ones(2, 3)
    save_file(state, tmp_path / "w.safetensors")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(UserError) as error:
        weights.load(network, tmp_path / "w.safetensors")
    for words in ("1 missing (2.bias)", "5 unexpected (extra, more.0, more.1, …)",
                  "1 of another shape (0.weight: 2x3 for 3x2)", "strict=false"):  # fmt: skip
        assert words in str(error.value)
    assert same(network, before)


def test_half_loaded_weights_when_asked_for(network, tmp_path, capsys):
    state = other(network)
    del state["2.bias"]
    state["0.weight"] = torch.ones(2, 3)
    save_file(state, tmp_path / "w.safetensors")
    first = network[0].weight.clone()
    weights.load(network, tmp_path / "w.safetensors", strict=False)
    assert torch.equal(network[0].weight, first)
    assert network[2].weight.unique().tolist() == [2]
    said = capsys.readouterr().out
    assert "7 of 9 tensors" in said
    assert "1 missing (2.bias)" in said


@pytest.mark.parametrize("prefix", ["module.", "model.", "model.backbone."])
def test_a_common_prefix_is_taken_off_and_said(network, tmp_path, capsys, prefix):
    state = other(network)
    save_file({f"{prefix}{name}": value for name, value in state.items()}, tmp_path / "w.safetensors")
    weights.load(network, tmp_path / "w.safetensors")
    assert same(network, state)
    assert f"prefix '{prefix}' is taken off" in capsys.readouterr().out


def test_a_prefix_of_the_networks_own_stays(tmp_path, capsys):
    wrapped = nn.ModuleDict({"model": nn.Linear(2, 3)})
    save_file(other(wrapped), tmp_path / "w.safetensors")
    weights.load(wrapped, tmp_path / "w.safetensors")
    assert "prefix" not in capsys.readouterr().out


def test_a_batch_norms_counter_may_be_missing(network, tmp_path):
    state = other(network)
    del state["1.num_batches_tracked"]
    torch.save(state, tmp_path / "w.pth")
    weights.load(network, tmp_path / "w.pth")
    assert network[1].weight.unique().tolist() == [2]


def test_a_training_checkpoint_gives_its_state_dict(network, tmp_path, capsys):
    state = other(network)
    torch.save({"state_dict": state, "epoch": 3, "optimizer": {"state": {}}}, tmp_path / "w.ckpt")
    weights.load(network, tmp_path / "w.ckpt")
    assert same(network, state)
    assert "'state_dict' of the checkpoint" in capsys.readouterr().out
    torch.save({"model": state, "ema": state}, tmp_path / "w.ckpt")
    with pytest.raises(UserError, match="has 'model' and 'ema': save the state dict that is meant"):
        weights.read(tmp_path / "w.ckpt")
    torch.save([1, 2], tmp_path / "w.ckpt")
    with pytest.raises(UserError, match="has no dictionary of tensors"):
        weights.read(tmp_path / "w.ckpt")


class Evil:
    """Would run code if it were unpickled."""

    def __reduce__(self):
        return print, ("ran",)


def test_a_file_that_names_code_is_refused(tmp_path, capsys):
    torch.save({"weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match="not a weights file that can be read safely"):
        weights.read(tmp_path / "evil.pth")
    assert "ran" not in capsys.readouterr().out
    torch.save(nn.Linear(2, 3), tmp_path / "whole.pth")  # a pickled module
    with pytest.raises(UserError, match="not a weights file that can be read safely"):
        weights.read(tmp_path / "whole.pth")


def test_weights_that_are_not_there():
    with pytest.raises(UserError, match="no weights file"):
        weights.find("none.safetensors")
    with pytest.raises(UserError, match="pip install no-such-package"):
        weights.find("package:no_such_package:file")


@pytest.mark.parametrize("content", [b"", b"\x80\x02", b"an error page", b"."])
def test_a_file_without_weights_is_a_sentence(tmp_path, content):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(UserError, match=r"w\.pth is not a weights file that can be read safely"):
        weights.read(tmp_path / "w.pth")
    (tmp_path / "w.safetensors").write_bytes(content)
    for read in (weights.read, weights.metadata):
        with pytest.raises(UserError, match=r"w\.safetensors is not a weights file that can be read safely"):
            read(tmp_path / "w.safetensors")
