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


def members(item, shape=(50,), classes=None):
    """Weight, channel, place and text of each unit, of which each has one term."""
    found = units.parse([item], shape, classes)
    assert all(len(unit.terms) == 1 for unit in found)
    return [(unit.terms[0].weight, unit.channel, unit.terms[0].place, unit.text) for unit in found]


@pytest.mark.parametrize(("sign", "weight"), [("", 1), ("-", -1)])
def test_ranges_and_all(sign, weight):
    assert members(f"{sign}3-5") == members(f"{sign}3 - 5") == [(weight, i, 0, f"{sign}{i}") for i in (3, 4, 5)]
    assert members(f"{sign}all") == [(weight, i, 0, f"{sign}{i}") for i in range(50)]
    assert len(members(f"{sign}3-40")) == 38 and len(members(f"{sign}3-3")) == 1
    for item in (f"{sign}conv5:3-4@1x2", f"conv5:{sign}3-4@1x2", f"{sign}3-4@1x2"):
        assert members(item, (9, 4, 5)) == [(weight, i, 7, f"{sign}{i}@1x2") for i in (3, 4)]
    assert members(f"{sign}conv5:all@max", (2, 4, 5)) == [(weight, i, "max", f"{sign}{i}@max") for i in (0, 1)]


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("volcanoe", "did you mean 'volcano'"),
        ("1000", "from 0 to 999"),
        ("7-3", "is empty: set 3-7, or 1\\*7-3 for a difference"),
        ("-7-3", "is empty: set -3-7, or -1\\*7-3 for a difference"),
        ("12@3x3", "is a vector: set 12"),
        ("volcano-goldfsh", "no unit 'goldfsh': did you mean 'goldfish'"),
        ("0.5*volcano+1000", "from 0 to 999"),
        ("volcano-", "no unit '-': set one sign per term"),
        ("--3", "no unit '-3': set one sign per term"),
        ("black-and-tan coonhoud", "did you mean 'black-and-tan coonhound'"),
        ("volcano+jack-o-lanten-12", "no unit 'jack-o-lanten'"),
        ("cat", "did you mean 'tiger cat' or 'Persian cat' or 'Siamese cat' or 'Egyptian cat'"),
        ("0..9", "a range is written 0-9"),
        ("volcano*0.5", r"the weight comes first, 0\.5\*volcano"),
        ("1/2*volcano", r"a weight is a decimal number, such as 0\.5\*volcano"),
        ("3\N{EN DASH}40", "a minus is written -, not \N{EN DASH}"),
        ("\N{MINUS SIGN}3", "a minus is written -, not \N{MINUS SIGN}"),
        ("volcano \N{MINUS SIGN} goldfish", "a minus is written -, not \N{MINUS SIGN}"),
        ("3.0", "an index is a whole number, 3"),
        ("12 @ center", "a position follows without spaces, 12@center"),
        ("all-3", "all stands alone"),
        ("goldfis", "did you mean 'goldfish'"),
        ("0*volcano", "the weight in '0\\*volcano' is zero"),
        ("3-40-50", "could be a range or a sum: set '1\\*3-40-50' for the sum"),
        ("0-9+12", "could be a range or a sum"),
        ("", "there is no unit"),
        (" ", "there is no unit"),
        ("1e999*volcano", "too large"),
        ("none.safetensors", "no file none.safetensors"),
        ("~nobody/a-b.npy", "a direction needs an existing file"),
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
    for item, shape, words in (("1@3", (4, 6, 7), "set @ROWxCOLUMN"), ("1@6x0", (4, 6, 7), "a row from 0 to 5"),
                               ("1@2x2", tokens, "set @cls"), ("1@5", tokens, "set @0 to @4")):  # fmt: skip
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
    with pytest.raises(UserError, match=r"index from 0 to 11, .*target\.classes=FILE or target\.classes=\[a,b,c\]"):
        units.parse(["goldfish"], (12,), None)
    with pytest.raises(UserError, match=r"index from 0 to 11$"):
        units.parse(["goldfish"], (12, 4, 4), None)


@pytest.mark.parametrize(
    ("items", "layer"),
    [
        ("volcano", "fc8"),
        (12, "fc8"),
        (["conv5:12@6x6", "-conv5:3"], "conv5"),
        (["fc8:12", "3"], "fc8"),
        (["0.5*conv5:12@6x6 - conv5:3"], "conv5"),
        (["conv5:3-40", "conv5:-all", "-conv5:1-2@max", "conv5:-0.5*3+conv5:4"], "conv5"),
        (["conv5:3-conv5:40", "conv5:3+4"], "conv5"),
        (["encoder.ln@cls:3", "encoder.ln@cls:4"], "encoder.ln@cls"),
        (["conv5:unknown"], "conv5"),
        (["re:zero", "1:10-re:zero", "0.5*1:10"], "fc8"),
        (["conv5:re:zero"], "conv5"),
    ],
)
def test_a_layer_can_stand_in_front(items, layer):
    assert units.layers_of(items, ["re:zero", "1:10"], "fc8") == [layer]


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (["conv5:-conv5:1"], "two layers for one term"),
        ([], "there is no unit"),
        (["1", " "], "there is no unit"),
    ],
)
def test_texts_without_layers_that_can_be_read(items, words):
    with pytest.raises(UserError, match=words):
        units.layers_of(items, None, "fc8")


@pytest.mark.parametrize(
    ("items", "layers", "texts"),
    [
        (["conv5:1-conv4:1"], ["conv5", "conv4"], ["conv5:1-conv4:1"]),
        (["conv5:1@max+3-fc8:2"], ["conv5", "fc8"], ["conv5:1@max+conv5:3-fc8:2"]),
        (["-2-0.5*conv5:1", "conv5:1-2"], ["fc8", "conv5"], ["-2-0.5*conv5:1", "conv5:1", "conv5:2"]),
        (["conv4:-0.5*1", "2", "-conv5:0-1@1x1"], ["conv4", "fc8", "conv5"],
         ["-0.5*conv4:1", "2", "-conv5:0@1x1", "-conv5:1@1x1"]),
    ],
)  # fmt: skip
def test_units_in_several_layers_keep_their_layers_in_their_texts(items, layers, texts):
    assert units.layers_of(items, None, "fc8") == layers
    at = {"fc8": units.Elements((9,), None), "conv5": units.Elements((4, 3, 3), None),
          "conv4": units.Elements((2, 5, 5), None)}  # fmt: skip
    at = {layer: at[layer] for layer in layers}
    found = units.parse_in(items, at, None, "fc8")
    assert [unit.text for unit in found] == texts
    again = units.parse_in(texts, at, None, "fc8")
    meaning = [[(term.weight, term.layer, term.channel, term.place) for term in unit.terms] for unit in found]
    assert meaning == [[(t.weight, t.layer, t.channel, t.place) for t in unit.terms] for unit in again]
    at = {"fc8": units.Elements((9,), None), "conv5": units.Elements((4, 3, 3), None, "conv5")}
    with pytest.raises(UserError, match="no unit '9' in the layer conv5"):
        units.parse_in("1+conv5:9", at, None, "fc8")


@pytest.mark.parametrize(
    ("item", "text", "expected"),
    [
        ("conv5:3-conv5:40", "1*3-40", [(1, 3, "mean"), (-1, 40, "mean")]),
        ("conv5:40-conv5:3", "1*40-3", [(1, 40, "mean"), (-1, 3, "mean")]),
        ("-conv5:3-conv5:40", "-1*3-40", [(-1, 3, "mean"), (-1, 40, "mean")]),
        ("conv5:3-conv5:40@4x4", "1*3-40@4x4", [(1, 3, "mean"), (-1, 40, 4 * 13 + 4)]),
        ("conv5:3-conv5:40-conv5:5", "1*3-40-5", [(1, 3, "mean"), (-1, 40, "mean"), (-1, 5, "mean")]),
        ("0.5*conv5:12@6x6 - conv5:3", "0.5*12@6x6 - 3", [(0.5, 12, 6 * 13 + 6), (-1, 3, "mean")]),
        ("conv5:-.5*3+conv5:4", "-.5*3+4", [(-0.5, 3, "mean"), (1, 4, "mean")]),
        ("conv5:3+4", "3+4", [(1, 3, "mean"), (1, 4, "mean")]),
    ],
)
def test_terms_with_layers_are_one_unit_and_its_text_means_the_same(item, text, expected):
    shape = (50, 13, 13)
    assert terms(item, shape, None) == terms(text, shape, None) == expected
    (unit,) = units.parse(item, shape, None)
    assert unit.text == text


def test_names_of_all_kinds():
    classes = ["1.1", "1.10", "2.0", "re:zero", "1:10", "C", "C#", "x@y", "2*3", "-x", "jack-o'-lantern"]
    for i, name in enumerate(classes):
        for sign, weight in (("", 1), ("-", -1)):
            assert terms(f"{sign}{name}", (11,), classes) == [(weight, i, 0)] or (sign, name) == ("-", "x")
    assert terms("re:zero-1:10", (11,), classes) == [(1, 3, 0), (-1, 4, 0)]
    assert terms("0.5*1.10-2.0*2.0", (11,), classes) == [(0.5, 1, 0), (-2, 2, 0)]
    assert terms("C#-C--x", (11,), classes) == [(1, 6, 0), (-1, 5, 0), (-1, 9, 0)]
    assert terms("fc8:re:zero", (11,), classes) == [(1, 3, 0)]


def test_classes_of_one_name_are_told_by_their_numbers():
    classes = ["crane", "goldfish", "crane", "Cardigan", "cardigan", "maillot", "maillot, tank suit"]
    with pytest.raises(UserError, match="2 classes are called 'crane': set one of their indices, 0, 2"):
        units.parse(["goldfish-crane"], (7,), classes)
    for name, channel in (("2", 2), ("Cardigan", 3), ("cardigan", 4), ("maillot", 5), ("tank suit", 6)):
        assert terms(name, (7,), classes) == [(1, channel, 0)]
    assert [unit.channel for unit in units.parse(["all"], (7,), classes)] == list(range(7))


def test_a_range_is_refused_where_numbers_are_the_names_of_other_classes():
    with pytest.raises(UserError, match="is ambiguous, because some class names of this layer"):
        units.parse(["1-2"], (3,), ["1", "2", "3"])
    with pytest.raises(UserError, match="several classes are called '1'"):
        units.parse(["all"], (3,), ["1", "1", "0"])
    assert len(units.parse(["1-2"], (3,), ["0", "1", "2"])) == 2


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_a_file_has_a_unit_a_line(tmp_path, start):
    path = tmp_path / "units.txt"
    path.write_bytes(start + b"volcano\r\n\r\n# a comment\r\n12   # another\r\n  # and\r\n0.5*3+4\t# one\r\n\r\n")
    assert units.from_file(path) == ["volcano", "12", "0.5*3+4"]
    path.write_bytes(start + b"C#\nD# # a comment\nF # 1\n#tag\n# tag\n")
    assert units.from_file(path) == ["C#", "D#", "F"]
    assert units.from_file(path, ["C#", "D#", "F # 1", "#tag"]) == ["C#", "D#", "F # 1", "#tag"]
    with pytest.raises(UserError, match="cannot be read"):
        units.from_file(tmp_path / "none.txt")
    path.write_bytes("für".encode("utf-16"))
    with pytest.raises(UserError, match="not UTF-8 text"):
        units.from_file(path)


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
    with pytest.raises(UserError, match=r"cannot read the direction from .*d\.npy"):
        units.parse([f"{tmp_path}/d.npy"], (3,), None)


@pytest.mark.parametrize("text", ["all", "All", "ALL", "conv5:All"])
def test_all_is_every_element_in_any_case(text):
    assert [unit.channel for unit in units.parse(text, (4,), None)] == [0, 1, 2, 3]
