"""Every form of a unit that the documents print passes Hydra's grammar and means what the table says."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from dgn import units
from dgn.networks import class_names
from dgn.settings.words import literal
from dgn.units import grammar

ROOT = Path(__file__).parents[2]
PARSER = OverridesParser.create()
PART = (ROOT / "docs/networks.md").read_text().partition("## Units")[2].partition("\n## ")[0]
ROWS = [line for line in PART.splitlines() if line.startswith("| `")]
FORMS = [(form, row.split("|")[3].strip()) for row in ROWS for form in re.findall(r"`([^`]+)`", row.split("|")[1])]
IMAGENET = class_names.imagenet()
NAMES = [name.split(",")[0] for name in IMAGENET]
SHAPES = {"conv5": (512, 13, 13), "blocks.11": (16, 64), "fc6": (4096,), "fc8": (1000,)}
FILES = ("cat.safetensors", "cat.npy", "dog.npy", "dir-2/a-1.npy")


def through_hydra(items):
    """What a typed list of units is after the command line and Hydra's parser, as texts."""
    found = PARSER.parse_override(literal(f"units=[{','.join(items)}]", several=False)).value()
    assert isinstance(found, list)
    return [str(item) for item in found]


@pytest.fixture(scope="module", autouse=True)
def _files(tmp_path_factory):
    """The directions that the documents name, in the current folder."""
    folder = tmp_path_factory.mktemp("directions")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("dir-2").mkdir()
        save_file({"direction": torch.ones(4096)}, "cat.safetensors")
        for name, channels in (("cat.npy", 4096), ("dog.npy", 512), ("dir-2/a-1.npy", 512)):
            np.save(name, np.ones(channels))
        tensors = {"encoder.weight": torch.ones(200, 512), "encoder.bias": torch.ones(200),
                   "decoder.weight": torch.ones(512, 200), "bias": torch.ones(512)}  # fmt: skip
        save_file(tensors, "sae.safetensors")
        Path("cat.jpg").touch()  # what the layer makes of it is `read`'s
        save_file(tensors, "dir-2/a-1*2.safetensors")
        yield


def read(item, classes=IMAGENET):
    """The layers and the units of a text, at layers of the right shape."""
    layers = units.layers_of([item], classes, "fc8")
    at = {
        layer: units.Elements(
            SHAPES[layer], classes if layer == "fc8" else None, see=lambda _, layer=layer: torch.ones(SHAPES[layer])
        )
        for layer in layers
    }
    return layers, units.parse_in([item], at, classes if len(layers) > 1 or layers == ["fc8"] else None, "fc8")


def test_the_parsers_docstring_has_the_same_table():
    assert len(FORMS) >= 35
    assert [line for line in str(grammar.__doc__).splitlines() if line.startswith("| `")] == ROWS


@pytest.mark.parametrize(("form", "count"), FORMS)
def test_a_printed_form_means_as_many_units_as_the_table_says(form, count):
    assert through_hydra([form]) == [form]
    layers, found = read(form)
    assert layers == list(dict.fromkeys(re.findall(r"([a-z]\w+(?:\.11)?):", form) or ["fc8"]))
    layer = layers[0]
    every = SHAPES[layer][1] if len(SHAPES[layer]) == 2 else SHAPES[layer][0]
    assert len(found) == (every if count == "all" else int(count))
    rows = len(found[:2])
    zeros = {name: torch.zeros(rows, *SHAPES[name]) for name in layers}
    scorer = units.Scorer(found[:2], units.Logit())
    assert scorer(zeros if len(layers) > 1 else zeros[layer]).shape == (rows,)
    if form.startswith("-") or ":-" in form:
        assert all(unit.terms[0].weight < 0 for unit in found)


# A text and what it means, drawn together from the grammar: the parser must find the meaning.

ODD = [
    "black-and-tan coonhound",
    "jack-o'-lantern",
    "7-up",
    "re:zero",
    "1:10",
    "C#",
    "C",
    "1.10",
    "2.0",
    "x@y",
    "lemon",
]
WEIGHTS = st.sampled_from([("", 1.0), ("0.5*", 0.5), (".5 * ", 0.5), ("2*", 2.0), ("1e-1*", 0.1), ("1*", 1.0)])
SIGNS = st.sampled_from([("", 1), ("-", -1), ("- ", -1)])
PLACES = {  # of a map of 13 x 13, of 16 tokens, of a vector
    "conv5": [("", "mean"), ("@mean", "mean"), ("@max", "max"), ("@center", 6 * 13 + 6), ("@6x7", 6 * 13 + 7)],
    "blocks.11": [("", "mean"), ("@mean", "mean"), ("@max", "max"), ("@cls", 0), ("@3", 3)],
    "fc6": [("", 0)],
    "fc8": [("", 0)],
}
ELEMENTS = {  # beside numbers
    "conv5": [
        ("dog.npy", None),
        ("dir-2/a-1.npy", None),
        ("sae.safetensors#12", None),
        ("dir-2/a-1*2.safetensors#3", None),
    ],
    "blocks.11": [],
    "fc6": [("cat.npy", None), ("cat.safetensors", None)],
    "fc8": [(name, i) for i, name in enumerate(ODD)],
}


@st.composite
def sums(draw):
    """A sum of terms with names, numbers, files, weights, places and layers, and its meaning."""
    layer = draw(st.sampled_from(list(PLACES)))
    texts, meaning = [], []
    for i in range(draw(st.integers(1, 4))):
        element, channel = draw(st.sampled_from([*ELEMENTS[layer], *((str(n), n) for n in range(11, 41))]))
        (sign, signed), (weight, size) = draw(SIGNS), draw(WEIGHTS)
        place, at = draw(st.sampled_from(PLACES[layer]))
        prefix = f"{layer}:" if layer != "fc8" and not i else draw(st.sampled_from(["", f"{layer}:"]))
        if not i and prefix and draw(st.booleans()):
            texts.append(f"{prefix}{sign}{weight}{element}{place}")  # the layer before the sign
        else:
            texts.append(f"{sign or '+' * bool(i)}{weight}{prefix}{element}{place}")
        meaning.append((signed * size, channel, at))
    return draw(st.sampled_from(["", " "])).join(texts), layer, meaning


@settings(deadline=None, max_examples=300)
@given(sums())
def test_any_sum_means_its_terms(drawn):
    text, layer, meaning = drawn
    bare = re.sub(r"[\w.]+:(?=[\s\d+-])|\s", "", text)
    if re.fullmatch(r"[+-]?\d+([+-]\d+)+(@\w+)?", bare) and text.count(":") < 2 and "-" in bare[1:]:
        return  # a range, or refused: numbers alone
    classes = ODD if layer == "fc8" else None
    shape = (41,) if layer == "fc8" else SHAPES[layer]
    assert units.layers_of([text], classes, "fc8") == [layer]
    (unit,) = units.parse([text], shape, classes)
    assert [(term.weight, term.channel, term.place) for term in unit.terms] == meaning
    (again,) = units.parse([unit.text], shape, classes)  # the text without layers still means the same
    assert [(term.weight, term.channel, term.place) for term in again.terms] == meaning


@st.composite
def mixtures(draw):
    """A sum of terms in several layers, and its meaning: a term names its layer, unless the first has the same."""
    texts, meaning = [], []
    for i in range(draw(st.integers(2, 4))):
        layer = draw(st.sampled_from(list(PLACES)))
        element, channel = draw(st.sampled_from([*ELEMENTS[layer], *((str(n), n) for n in range(11, 41))]))
        (sign, signed), (weight, size) = draw(SIGNS), draw(WEIGHTS)
        place, at = draw(st.sampled_from(PLACES[layer]))
        alike = layer == meaning[0][0] if meaning else layer == "fc8"
        prefix = draw(st.sampled_from(["", f"{layer}:"])) if alike else f"{layer}:"
        texts.append(f"{sign or '+' * bool(i)}{weight}{prefix}{element}{place}")
        meaning.append((layer, signed * size, channel, at))
    return draw(st.sampled_from(["", " "])).join(texts), meaning


@settings(deadline=None, max_examples=200)
@given(mixtures())
def test_any_sum_over_several_layers_means_its_terms(drawn):
    text, meaning = drawn
    layers = list(dict.fromkeys(layer for layer, *_ in meaning))
    if len(layers) == 1:
        return
    assert units.layers_of([text], ODD, "fc8") == layers
    at = {name: units.Elements((41,) if name == "fc8" else SHAPES[name], ODD if name == "fc8" else None)
          for name in layers}  # fmt: skip
    (unit,) = units.parse_in([text], at, ODD, "fc8")
    (again,) = units.parse_in([unit.text], at, ODD, "fc8")
    for one in (unit, again):
        assert [(term.layer, term.weight, term.channel, term.place) for term in one.terms] == meaning


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_any_range_means_its_elements(data):
    layer = data.draw(st.sampled_from(list(PLACES)))
    (sign, signed), (place, at) = data.draw(SIGNS), data.draw(st.sampled_from(PLACES[layer]))
    first, last = sorted(data.draw(st.lists(st.integers(0, 15), min_size=2, max_size=2)))
    every = SHAPES[layer][1] if len(SHAPES[layer]) == 2 else SHAPES[layer][0]
    whole = data.draw(st.booleans())
    members = "all" if whole else data.draw(st.sampled_from([f"{first}-{last}", f"{first} - {last}"]))
    prefix = data.draw(st.sampled_from([f"{layer}:", *[""] * (layer == "fc8")]))
    text = data.draw(st.sampled_from([f"{sign}{prefix}{members}{place}", f"{prefix}{sign}{members}{place}"]))
    found_layer, found = read(text)
    assert found_layer == [layer]
    assert [[(term.weight, term.channel, term.place) for term in unit.terms] for unit in found] == [
        [(signed, i, at)] for i in (range(every) if whole else range(first, last + 1))
    ]


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=3),
    st.sampled_from("+-"),
    st.sampled_from(["", "0.5*", "2 * "]),
)
def test_any_classes_in_any_sum(chosen, sign, factor):
    text = sign.join(f"{factor}{name}" for name in chosen)
    (typed,) = through_hydra([text]) if "'" not in text else through_hydra([f'"{text}"'])
    assert typed == text
    (unit,) = units.parse([typed], (1000,), IMAGENET)
    assert [NAMES[term.channel] for term in unit.terms] == [NAMES[NAMES.index(name)] for name in chosen]
    weight = float(factor.strip(" *") or 1)
    assert [abs(term.weight) for term in unit.terms] == [weight] * len(chosen)
    assert all(term.weight < 0 for term in unit.terms[1:]) == (sign == "-" or len(chosen) == 1)
