"""Text to units."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgn import units
from dgn.base.errors import UserError
from dgn.networks import class_names

IMAGENET = class_names.imagenet()


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
        ("Cardigan", 264, 1),
        ("cardigan", 474, 1),
    ],
)
def test_a_unit_is_a_name_or_an_index(item, channel, sign):
    (unit,) = units.parse([item], (1000,), IMAGENET)
    assert (unit.channel, unit.terms[0].weight) == (channel, sign)


def test_ranges_and_all():
    assert [u.channel for u in units.parse(["3-5", "9"], (10,), None)] == [3, 4, 5, 9]
    assert [u.channel for u in units.parse(["3 - 5"], (10,), None)] == [3, 4, 5]
    assert [u.channel for u in units.parse(["all"], (10,), None)] == list(range(10))


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("volcanoe", "did you mean 'volcano'"),
        ("1000", "from 0 to 999"),
        ("7-3", "type 3-7"),
        ("12@3x3", "is a vector: type 12"),
        ("volcano-goldfsh", "no unit 'goldfsh': did you mean 'goldfish'"),
        ("0.5*volcano+1000", "from 0 to 999"),
        ("volcano-", "no unit '-'"),
        ("", "no unit is named"),
        (" ", "no unit is named"),
        ("1e999*volcano", "too large"),
        ("none.safetensors", "no file none.safetensors"),
    ],
)
def test_what_is_not_a_unit_gets_a_sentence(item, words):
    with pytest.raises(UserError, match=words):
        units.parse([item], (1000,), IMAGENET)


def terms(item, shape=(1000,), classes=IMAGENET):
    """Weight, channel and place of each term of the one unit that a text names."""
    (unit,) = units.parse([item], shape, classes)
    return [(term.weight, term.channel, term.place) for term in unit.terms]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("volcano-goldfish", [(1, 980), (-1, 1)]),
        ("0.5*volcano+0.5*goldfish", [(0.5, 980), (0.5, 1)]),
        ("0.5 * volcano + 0.5 * goldfish", [(0.5, 980), (0.5, 1)]),
        ("-volcano-2*12", [(-1, 980), (-2, 12)]),
        ("1e-1*volcano", [(0.1, 980)]),
        ("black-and-tan coonhound", [(1, 165)]),
        ("black-and-tan coonhound-goldfish", [(1, 165), (-1, 1)]),
        ("goldfish-black-and-tan coonhound", [(1, 1), (-1, 165)]),
        ("-jack-o-lantern+three-toed sloth", [(-1, 607), (1, 364)]),
        ("1*3-40", [(1, 3), (-1, 40)]),
    ],
)
def test_sums_and_differences(item, expected):
    assert terms(item) == [(weight, channel, 0) for weight, channel in expected]


def test_two_classes_that_differ_in_case_alone():
    cardigans = [units.parse([name], (1000,), class_names.imagenet())[0].channel for name in ("Cardigan", "cardigan")]
    assert cardigans == [264, 474]  # a dog, a garment


def test_a_name_wins_over_arithmetic():
    classes = ["7", "7-up", "2*3", "a+b", "a", "b", "3-5", "all", "a-", "-x"]
    for i, name in enumerate(classes):
        assert terms(name, (10,), classes) == [(1, i, 0)]
    assert terms("a+b-a", (10,), classes) == [(1, 3, 0), (-1, 4, 0)]
    assert terms("a - 7-up", (10,), classes) == [(1, 4, 0), (-1, 1, 0)]


def test_places_in_maps_and_tokens():
    shape = (4, 6, 7)
    assert terms("1@2x3", shape, None) == [(1, 1, 2 * 7 + 3)]
    assert terms("1@center", shape, None) == [(1, 1, 3 * 7 + 3)]
    assert terms("1", shape, None) == terms("1@mean", shape, None) == [(1, 1, "mean")]
    assert terms("-1@max", shape, None) == [(-1, 1, "max")]
    assert terms("1@0x0-2@center", shape, None) == [(1, 1, 0), (-1, 2, 24)]
    assert [unit.text for unit in units.parse(["0-1@center"], shape, None)] == ["0@center", "1@center"]
    tokens = (5, 12)
    assert terms("11@cls", tokens, None) == [(1, 11, 0)]
    assert terms("11@4", tokens, None) == [(1, 11, 4)]
    assert terms("11", tokens, None) == [(1, 11, "mean")]
    for item, shape, words in (("1@3", (4, 6, 7), "type @ROWxCOLUMN"), ("1@6x0", (4, 6, 7), "rows go to 5"),
                               ("1@2x2", tokens, "type @cls"), ("1@5", tokens, "they go to 4")):  # fmt: skip
        with pytest.raises(UserError, match=words):
            units.parse([item], shape, None)


def test_labels_are_for_people():
    items = ["volcano", "-goldfish", "980-981", "volcano-goldfish", "0.5*volcano+0.5*goldfish", "2*volcano"]
    found = [unit.label for unit in units.parse(items, (1000,), IMAGENET)]
    assert found == ["volcano", "not goldfish", "volcano", "ballplayer", "volcano − goldfish",
                     "0.5 volcano + 0.5 goldfish", "2 volcano"]  # fmt: skip
    assert [unit.label for unit in units.parse(["3@center", "-3"], (4, 6, 7), None)] == ["3@center", "not 3"]


def test_a_sum_is_about_no_single_element():
    chosen = units.parse(["volcano", "2*volcano", "-volcano", "volcano-goldfish"], (1000,), IMAGENET)
    assert [unit.channel for unit in chosen] == [980, 980, 980, None]


def test_a_layer_without_names_asks_for_an_index():
    with pytest.raises(UserError, match="index from 0 to 11"):
        units.parse(["goldfish"], (12,), None)


def test_a_bare_item_is_a_list_of_one():
    assert units.split_layer("volcano") == (None, ["volcano"])
    assert units.split_layer(12) == (None, ["12"])


def test_a_layer_can_stand_in_front():
    assert units.split_layer(["conv5:12@6x6", "-conv5:3"]) == ("conv5", ["12@6x6", "-3"])
    assert units.split_layer(["0.5*conv5:12@6x6 - conv5:3"]) == ("conv5", ["0.5*12@6x6 - 3"])
    with pytest.raises(UserError, match="not at conv4, conv5"):
        units.split_layer(["conv5:1-conv4:1"])
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


@settings(deadline=None, max_examples=25)
@given(st.text(max_size=20))
def test_any_text_is_units_or_a_sentence(item):
    try:
        found = units.parse([item], (1000,), IMAGENET)
    except UserError as error:
        assert "\n" not in str(error) or "\n" in item
    else:
        assert found and all(0 <= term.channel < 1000 for unit in found for term in unit.terms)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from([*IMAGENET[:40], "12", "2*7", "-", "+", "0.5*"]), max_size=5).map("+".join))
def test_any_sum_of_names_is_units_or_a_sentence(item):
    try:
        (unit,) = units.parse([item], (1000,), IMAGENET)
    except UserError:
        return
    assert all(0 <= term.channel < 1000 for term in unit.terms)


@pytest.mark.parametrize("names", [["1", "2", "3"], ["3", "2", "1", "0"], ["a", "0", "b"]])
def test_every_class_is_there_once_where_names_are_numbers(names):
    found = units.parse(["all"], (len(names),), names)
    assert [unit.channel for unit in found] == list(range(len(names)))
    again = [units.parse([unit.text], (len(names),), names)[0].channel for unit in found]
    assert again == list(range(len(names)))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04"])
def test_a_direction_that_is_none_is_a_sentence(tmp_path, content):
    (tmp_path / "d.npy").write_bytes(content)
    with pytest.raises(UserError, match=r"d\.npy holds no direction that can be read"):
        units.parse([f"{tmp_path}/d.npy"], (3,), None)
