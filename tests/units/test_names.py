"""Class names, and what is meant by a name."""

import pytest

from dgn.units.names import ClassNames

CLASSES = ["Egyptian cat", "Persian cat", "polecat", "goldfish, Carassius auratus", "crane", "crane", "bus"]


def test_a_name_is_found_in_its_closest_spelling():
    names = ClassNames(["Cardigan", "cardigan", "bell pepper", "goldfish, Carassius auratus", "Carassius"])
    assert [names.find(name) for name in ("Cardigan", "cardigan", "CARDIGAN")] == [0, 1, None]
    assert names.candidates("CARDIGAN") == [0, 1]
    assert names.find("Bell-Pepper") == names.find("bell_pepper") == 2
    assert names.find("carassius auratus") == 3 and names.find("carassius") == 4
    assert names.find("-cardigan") is names.find("") is names.find(" ") is None


def test_the_wordnet_number_of_a_class_is_a_name():
    assert ClassNames(CLASSES).find("n01443537") == 3  # the goldfish
    assert ClassNames(["n01443537", "goldfish"]).find("n01443537") == 0
    assert ClassNames(CLASSES).find("n02119789") is None  # a kit fox


@pytest.mark.parametrize(
    ("word", "suggestion"),
    [
        ("cat", "did you mean 'Egyptian cat' or 'Persian cat'?"),
        ("Cat", "did you mean 'Egyptian cat' or 'Persian cat'?"),
        ("ole", "did you mean 'polecat'?"),
        ("egyptian", "did you mean 'Egyptian cat'?"),
        ("auratus", "did you mean 'goldfish'?"),
        ("buss", "did you mean 'bus'?"),
        ("xyz", "choose from Egyptian cat, Persian cat"),
    ],
)
def test_classes_that_contain_the_word_are_suggested_first(word, suggestion):
    assert ClassNames(CLASSES).suggestion(word).startswith(suggestion)


def test_many_suggestions_are_counted():
    names = ClassNames([f"class {i}" for i in range(9)])
    assert names.suggestion("class").endswith("'class 4'? (9 classes contain 'class')")
