"""Text to units to scores."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dgn import units
from dgn.errors import UserError
from dgn.networks import names

IMAGENET = names.imagenet()


def test_the_table_has_the_thousand_classes():
    assert len(IMAGENET) == 1000 and IMAGENET[1].startswith("goldfish") and "volcano" in IMAGENET[980]


@pytest.mark.parametrize(
    ("item", "channel", "sign"),
    [
        ("volcano", 980, 1),
        ("945", 945, 1),
        ("Bell Pepper", 945, 1),
        ("bell-pepper", 945, 1),
        ("-goldfish", 1, -1),
        ("-1", 1, -1),
        ("jack-o-lantern", 607, 1),
        ("jack-o'-lantern", 607, 1),
    ],
)
def test_a_unit_is_a_name_or_an_index(item, channel, sign):
    (unit,) = units.parse([item], (1000,), IMAGENET)
    assert (unit.channel, unit.sign) == (channel, sign)


def test_ranges_and_all():
    assert [u.channel for u in units.parse(["3-5", "9"], (10,), None)] == [3, 4, 5, 9]
    assert [u.channel for u in units.parse(["all"], (10,), None)] == list(range(10))


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("volcanoe", "did you mean 'volcano'"),
        ("1000", "from 0 to 999"),
        ("7-3", "type 3-7"),
        ("12@3x3", "is a vector: type 12"),
    ],
)
def test_what_is_not_a_unit_gets_a_sentence(item, words):
    with pytest.raises(UserError, match=words):
        units.parse([item], (1000,), IMAGENET)


def test_a_layer_without_names_asks_for_an_index():
    with pytest.raises(UserError, match="index from 0 to 11"):
        units.parse(["goldfish"], (12,), None)


def test_a_bare_item_is_a_list_of_one():
    assert units.split_layer("volcano") == (None, ["volcano"])
    assert units.split_layer(12) == (None, ["12"])


def test_a_layer_can_stand_in_front():
    assert units.split_layer(["conv5:12@6x6", "-conv5:3"]) == ("conv5", ["12@6x6", "-3"])
    with pytest.raises(UserError, match="start a run for each"):
        units.split_layer(["conv5:1", "conv4:1"])
    with pytest.raises(UserError, match="no unit is named"):
        units.split_layer([])


def test_a_file_has_a_unit_a_line(tmp_path):
    path = tmp_path / "units.txt"
    path.write_text("volcano\n\n# a comment\n12   # another\n")
    assert units.from_file(path) == ["volcano", "12"]
    with pytest.raises(UserError, match="cannot be read"):
        units.from_file(tmp_path / "none.txt")


def test_scores_of_vectors_and_maps():
    vector = torch.arange(20.0).view(2, 10)
    found = units.parse(["3", "-4"], (10,), None)
    assert units.scorer(found)(vector).tolist() == [3.0, -14.0]
    maps = torch.arange(2 * 4 * 3 * 3.0).view(2, 4, 3, 3)
    found = units.parse(["1@2x0", "-2"], (4, 3, 3), None)
    assert units.scorer(found)(maps).tolist() == [maps[0, 1, 2, 0].item(), -maps[1, 2].mean().item()]
    with pytest.raises(UserError, match="rows go to 2"):
        units.parse(["1@3x0"], (4, 3, 3), None)


@given(st.text(max_size=20))
def test_any_text_is_units_or_a_sentence(item):
    try:
        found = units.parse([item], (1000,), IMAGENET)
    except UserError as error:
        assert "\n" not in str(error) or "\n" in item
    else:
        assert found and all(0 <= unit.channel < 1000 for unit in found)


@given(st.lists(st.integers(0, 11), min_size=1, max_size=6))
def test_a_rows_score_does_not_depend_on_its_neighbours(channels):
    activation = torch.randn(len(channels), 12, generator=torch.Generator().manual_seed(0))
    found = units.parse([str(c) for c in channels], (12,), None)
    together = units.scorer(found)(activation)
    alone = torch.cat([units.scorer([u])(activation[i : i + 1]) for i, u in enumerate(found)])
    assert torch.equal(together, alone)
