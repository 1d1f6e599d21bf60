"""Units to scores: literal values."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from dgn import units
from dgn.base.errors import UserError
from dgn.networks import class_names

IMAGENET = class_names.imagenet()


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def score(activation, *items, objective=None, classes=None):
    """One unit a row."""
    chosen = units.parse(items, activation.shape[1:], classes)
    return units.Scorer(chosen, objective or units.Logit())(activation)


def test_a_difference_is_a_minus_b_and_weights_multiply():
    x = drawn(4, 1000)
    found = score(x, "volcano-goldfish", "0.5*volcano+0.5*goldfish", "3*12", "-goldfish-volcano", classes=IMAGENET)
    volcano, goldfish = x[:, 980], x[:, 1]
    assert torch.equal(found[0], volcano[0] - goldfish[0])
    assert not torch.equal(found[0], -(volcano[0] + goldfish[0]))
    assert torch.equal(found[1], 0.5 * volcano[1] + 0.5 * goldfish[1])
    assert torch.equal(found[2], 3 * x[2, 12])
    assert torch.equal(found[3], -goldfish[3] - volcano[3])


def test_vectors_maps_and_tokens():
    vector = torch.arange(20.0).view(2, 10)
    assert score(vector, "3", "-4").tolist() == [3.0, -14.0]
    maps = drawn(6, 4, 3, 5)
    found = score(maps, "1@2x0", "-2", "3@center", "0@max", "0@2x4-2*1@max", "1@mean")
    expected = [maps[0, 1, 2, 0], -maps[1, 2].mean(), maps[2, 3, 1, 2], maps[3, 0].max(),
                maps[4, 0, 2, 4] - 2 * maps[4, 1].max(), maps[5, 1].mean()]  # fmt: skip
    torch.testing.assert_close(found, torch.stack(expected))
    tokens = drawn(4, 5, 12)
    found = score(tokens, "7@cls", "7@3", "7", "7@max")
    expected = [tokens[0, 0, 7], tokens[1, 3, 7], tokens[2, :, 7].mean(), tokens[3, :, 7].max()]
    torch.testing.assert_close(found, torch.stack(expected))


def test_ppgns_log_probability_has_the_gradient_of_the_element_alone():
    x = drawn(2, 10).double().requires_grad_()
    objective = units.OwnLogProbability()
    found = score(x, "3", "1", objective=objective)
    torch.testing.assert_close(found, torch.log_softmax(x, 1)[[0, 1], [3, 1]])
    (gradient,) = torch.autograd.grad(found.sum(), x)
    expected = torch.zeros_like(x)
    for row, element in ((0, 3), (1, 1)):
        expected[row, element] = 1 - x.softmax(1)[row, element]
    torch.testing.assert_close(gradient, expected)


def test_log_probability_is_log_softmax():
    x, maps = drawn(2, 10), drawn(2, 10, 3, 3)
    expected = torch.log_softmax(x, 1)
    torch.testing.assert_close(
        score(x, "3", "0.5*1-4", objective=units.LogProbability()),
        torch.stack([expected[0, 3], 0.5 * expected[1, 1] - expected[1, 4]]),
    )
    torch.testing.assert_close(
        score(maps, "3@1x2", "3", objective=units.LogProbability()),
        torch.stack([torch.log_softmax(maps[0, :, 1, 2], 0)[3], torch.log_softmax(maps[1].mean((1, 2)), 0)[3]]),
    )


def test_a_margin_is_over_those_that_are_not_named():
    x = torch.tensor([[1.0, 5.0, 3.0, 2.0]] * 4)
    found = score(x, "1", "2", "0.5*1+0.5*2", "-1", objective=units.Margin())
    assert found.tolist() == [5 - 3, 3 - 5, 0.5 * 5 + 0.5 * 3 - 2, -(5 - 3)]
    assert score(x[:1, :1], "0", objective=units.Margin()).item() == 1


@pytest.mark.parametrize("kind", ["safetensors", "npy", "pt"])
def test_a_direction_from_a_file(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    direction = drawn(10)
    if kind == "npy":
        np.save("cat-1.npy", direction.numpy())
    elif kind == "pt":
        torch.save({"direction": direction, "other": torch.ones(3)}, "cat-1.pt")
    else:
        save_file({"any": direction}, "cat-1.safetensors")
    x, maps = drawn(3, 10), drawn(1, 10, 2, 2)
    file = f"cat-1.{kind}"
    found = score(x, f"{file}", f"-2*{file}+3", "3")
    own = x @ direction
    torch.testing.assert_close(found, torch.stack([own[0], -2 * own[1] + x[1, 3], x[2, 3]]))
    torch.testing.assert_close(score(maps, f"{file}@1x0"), (maps[:, :, 1, 0] * direction).sum(1))
    (unit,) = units.parse([file], (10,), None)
    assert (unit.channel, unit.label) == (None, "cat-1")
    with pytest.raises(UserError, match="objective=logit"):
        score(x[:1], file, objective=units.Margin())
    with pytest.raises(UserError, match="this layer needs"):
        units.parse([file], (12,), None)


def test_a_direction_is_followed_at_every_position_before_their_maximum(tmp_path):
    np.save(tmp_path / "d.npy", np.array([1.0, 1.0]))
    file = f"{tmp_path}/d.npy"
    crossed = torch.eye(2).view(1, 2, 1, 2)  # each channel is one at a place of its own
    assert score(crossed, f"{file}@max").item() == 1
    assert score(crossed, f"{file}@max-2*0@max").item() == -1
    maps, tokens = drawn(4, 2, 3, 5), drawn(3, 6, 2)
    found = score(maps, f"{file}@max", f"-{file}@mean", f"0.5*{file}@max+1@0x2", "1@max")
    along = maps.sum(1)
    expected = [along[0].max(), -along[1].mean(), 0.5 * along[2].max() + maps[2, 1, 0, 2], maps[3, 1].max()]
    torch.testing.assert_close(found, torch.stack(expected))
    found = score(tokens, f"{file}@max", f"{file}", f"{file}@3")
    expected = [tokens[0].sum(1).max(), tokens[1].sum(1).mean(), tokens[2, 3].sum()]
    torch.testing.assert_close(found, torch.stack(expected))


def test_a_direction_does_not_spoil_the_rows_beside_it(tmp_path):
    np.save(tmp_path / "d.npy", np.ones(3))
    maps = nn.Parameter(drawn(2, 3, 2, 2))
    with torch.no_grad():
        maps[1, 1:] = torch.nan
    found = score(maps, f"{tmp_path}/d.npy@max", "0@max")
    found.sum().backward()
    assert torch.isfinite(found).all() and torch.isfinite(maps.grad).all()


def test_a_direction_that_cannot_be_followed(tmp_path):
    path = tmp_path / "two.safetensors"
    save_file({"a": torch.ones(3), "b": torch.ones(3)}, path)
    with pytest.raises(UserError, match="2 tensors: save the direction alone, or under the name 'direction'"):
        units.parse([str(path)], (3,), None)
    save_file({"a": torch.zeros(3)}, path)
    with pytest.raises(UserError, match="zero or holds NaN or inf"):
        units.parse([str(path)], (3,), None)
    bad = tmp_path / "bad.npy"
    bad.write_bytes(b"no numbers")
    with pytest.raises(UserError, match="cannot read the direction"):
        units.parse([str(bad)], (3,), None)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(["0", "11", "-3", "3-4*5", "1*1-2-3+4", "0.1*1+0.2*2+0.3*3"]), min_size=1, max_size=6))
def test_a_rows_score_does_not_depend_on_its_neighbours(items):
    for objective in (units.Logit(), units.LogProbability(), units.Margin()):
        x = drawn(len(items), 12)
        together = score(x, *items, objective=objective)
        alone = torch.cat([score(x[i : i + 1], item, objective=objective) for i, item in enumerate(items)])
        assert torch.equal(together, alone)


def test_a_value_that_a_row_does_not_name_cannot_spoil_it():
    x = nn.Parameter(drawn(2, 5))
    with torch.no_grad():
        x[:, 1] = torch.nan
    found = score(x, "1*0-2", "1*3-4+2")
    found.sum().backward()
    assert torch.isfinite(found).all() and torch.isfinite(x.grad).all()
    assert x.grad.tolist() == [[1, 0, -1, 0, 0], [0, 0, 1, 1, -1]]


def test_the_scorer_moves_with_the_module_that_uses_it():
    scorer = units.Scorer(units.parse(["0.1*1-2"], (5,), None), units.Logit()).to("meta")
    assert scorer(torch.empty(1, 5, device="meta")).device.type == "meta"
