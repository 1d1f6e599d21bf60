"""What a run's manifest says of its method."""

import pytest
import torch

from dgn.synthesis import provenance
from dgn.synthesis.load import load


def method(settings, real=None):
    return provenance.method(settings, *load(settings), real)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "each pixel was kept between black and white"),
        (("prior.k=1.5",), "each pixel was kept between 0.25 and 0.75, where 1 is white"),
        (("prior=none",), "the picture was not limited"),
    ],
)
def test_the_range_of_pixels_is_not_one_of_codes(synthesis, words, said):
    settings = synthesis("generator=pixels", "units=lemon", *words)
    assert method(settings)["range"] == said


def test_both_bounds_of_a_code_are_told_apart(synthesis):
    said = method(synthesis("units=lemon", "prior.max_mahalanobis=1.5"))["range"]
    assert said.startswith(
        "the code as a whole was kept within a Mahalanobis distance of 1.5 from the mean of real codes"
    )
    assert said.endswith(
        "at about 1, and each code element was kept within 3 standard deviations of its mean on real images"
    )


@pytest.mark.parametrize(
    ("units", "score", "place"),
    [
        ("lemon", "the unit's value", None),
        (
            "conv5:12",
            "the unit's value, before the layer's own nonlinearity, if it has one",
            "its mean over all positions",
        ),
        (
            "conv5:12@max",
            "the unit's value, before the layer's own nonlinearity, if it has one",
            "its maximum over all positions",
        ),
    ],
)
def test_where_a_unit_is_read(synthesis, units, score, place):
    found = method(synthesis(f"units={units}"))
    assert (found["score"], found["place"]) == (score, place)


def test_several_places_are_told_apart(synthesis):
    assert "with @max in the unit's name its maximum" in method(synthesis("units=[conv5:1,conv5:1@4x4]"))["place"]


class Source:
    labels, classes = torch.tensor([0, 0, 1]), ["n1 lemon", "sofa"]


class Part:
    source = Source()

    def __len__(self):
        return 3


class Module:
    val = Part()


@pytest.mark.parametrize(
    ("units", "reason"),
    [
        ("goldfish", "no class name of the outputs is the name of a folder of data.root; set target.classes"),
        ("-lemon", "it exists for single classes that are maximised"),
        ("conv5:1", "it needs 100 real images, and 3 were scored"),
    ],
)
def test_why_there_is_no_factor(synthesis, units, reason):
    found = method(synthesis(f"units={units}"), (Module(), "val"))
    assert found["unrelated"] == reason and found["real"] == {"scored": "val", "images": 3}
