"""Every form of a unit that the documents print passes Hydra's grammar and means something."""

import re
from pathlib import Path

import pytest
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from dgn import units
from dgn.networks import class_names

ROOT = Path(__file__).parents[2]
PARSER = OverridesParser.create()
TABLE = (ROOT / "docs/networks.md").read_text().partition("## Units")[2].partition("\n\nClass names")[0]
CELLS = [line.split("|")[1] for line in TABLE.splitlines() if line.startswith("| `")]
FORMS = [form for cell in CELLS for form in re.findall(r"`([^`]+)`", cell)]
NAMES = [name.split(",")[0] for name in class_names.imagenet()]


def through_hydra(items):
    """What a list of units is after Hydra's parser, as texts."""
    found = PARSER.parse_override(f"units=[{','.join(items)}]").value()
    assert isinstance(found, list)
    return [str(item) for item in found]


@pytest.fixture(scope="module", autouse=True)
def _files(tmp_path_factory):
    """The direction that the documents name, in the current folder."""
    import numpy as np

    folder = tmp_path_factory.mktemp("directions")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        save_file({"direction": torch.ones(4096)}, "cat.safetensors")
        np.save("cat.npy", np.ones(4096))
        yield


def shape(form):
    """A layer at which a form means something."""
    if re.search(r"@(\d+x\d+|center)", form) or form.startswith("conv5"):
        return (512, 13, 13)
    return (16, 64) if form.startswith("blocks") else (4096,) if form.startswith("fc6") else (1000,)


def test_the_documents_have_forms():
    assert len(FORMS) >= 18


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from(FORMS), min_size=1, max_size=6), st.data())
def test_the_printed_forms_pass_hydras_grammar_and_mean_something(forms, data):
    # other numbers than the printed ones, where a range still goes up
    typed = [re.sub(r"(?<=:)\d+\b|^\d+(?=-)", str(data.draw(st.integers(0, 12))), form) for form in forms]
    assert through_hydra(typed) == typed
    for item in typed:
        layer, rest = units.split_layer([item])
        assert layer == (item.partition(":")[0] if ":" in item else None)
        found = units.parse(rest, shape(item), NAMES if shape(item) == (1000,) else None)
        assert found
        activation = torch.zeros(len(found), *shape(item))
        assert units.Scorer(found, units.Logit())(activation).shape == (len(found),)


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
    (unit,) = units.parse([typed], (1000,), class_names.imagenet())
    assert [NAMES[term.channel] for term in unit.terms] == [NAMES[NAMES.index(name)] for name in chosen]
    weight = float(factor.strip(" *") or 1)
    assert [abs(term.weight) for term in unit.terms] == [weight] * len(chosen)
    assert all(term.weight < 0 for term in unit.terms[1:]) == (sign == "-" or len(chosen) == 1)
