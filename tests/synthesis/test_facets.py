"""The faces of a unit: clusters of the real codes that fire it most."""

import csv

import pytest
import torch
from torch import nn

import dgn
from dgn import units
from dgn.base.errors import UserError
from dgn.base.instantiate import instantiate
from dgn.generators.bundle import Bundle
from dgn.generators.decoder import Decoder, measured
from dgn.synthesis.facets import clusters
from dgn.synthesis.load import load
from dgn.units.target import Target

DARK, LIGHT = torch.tensor([[0.0, 0.1], [0.1, 0.0], [0.1, 0.1]]), torch.tensor([[0.9, 1.0], [1.0, 0.9]])


class Halves(nn.Module):
    """Codes (N, 2) to pictures of two halves, each of one grey."""

    def forward(self, code):
        return code.repeat_interleave(4, 1).view(-1, 1, 1, 8).expand(-1, 3, 8, -1)


class Alike(nn.Module):
    """Unit 0 likes pictures whose two halves are alike, unit 1 what is light."""

    layers = ("output",)

    def forward(self, pictures):
        left, right = (half.mean((1, 2, 3)) for half in pictures.chunk(2, 3))
        return torch.stack([-(left - right).abs(), left + right], 1)


@pytest.fixture
def prior():
    codes = torch.cat([DARK, LIGHT, torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(8, 1)])
    return Bundle(Decoder(Halves(), [2], 0, 1), measured(codes), codes, {})


@pytest.fixture
def target():
    chosen = units.parse([0, 1], (2,), None)
    return Target(Alike(), chosen, lambda rows: units.Scorer(rows, units.Logit()), False)


def test_each_seed_begins_at_a_face_of_its_unit_the_largest_first(prior, target, synthesis):
    start = instantiate(synthesis("start=facets", "start.count=2", "start.best=5", "start.apart=1").start)
    alike, light = target.units
    found = start.for_units(target, [alike] * 3)(prior, [0, 1, 2], 0.0)
    torch.testing.assert_close(found, torch.stack([DARK.mean(0), LIGHT.mean(0), DARK.mean(0)]))
    among_others = start.for_units(target, [light, alike])(prior, [0, 1], 0.0)
    torch.testing.assert_close(among_others[1], LIGHT.mean(0))
    noisy = start.for_units(target, [alike] * 2)(prior, [1, 3], 0.1)
    assert not torch.equal(noisy[0], noisy[1])


def test_faces_are_exaggerated_about_their_common_mean(prior, target, synthesis):
    start = instantiate(synthesis("start=facets", "start.count=2", "start.best=5", "start.apart=2").start)
    found = start.for_units(target, target.units[:1] * 2)(prior, [0, 1], 0.0)
    middle = torch.cat([DARK, LIGHT]).mean(0)
    torch.testing.assert_close(found, torch.stack([2 * DARK.mean(0) - middle, 2 * LIGHT.mean(0) - middle]))


def test_fewer_codes_than_faces_are_each_a_face(prior):
    faces = clusters(LIGHT, [7, 3], [0.5, 0.25], prior.moments.std, 4)
    assert [(face.places, face.scores) for face in faces] == [([7], [0.5]), ([3], [0.25])]
    assert all(torch.equal(face.code, code) for face, code in zip(faces, LIGHT, strict=True))


def test_the_nearest_to_the_mean_comes_first():
    codes = torch.tensor([[0.0], [3.0], [1.0]])
    (face,) = clusters(codes, [5, 6, 7], [0.1, 0.2, 0.3], torch.ones(1), 1)
    assert (face.places, face.scores) == ([7, 5, 6], [0.3, 0.1, 0.2])
    torch.testing.assert_close(face.code, codes.mean(0))


def test_what_does_not_go_together_is_said_before_anything_is_read(prior, synthesis, image_tree, small_bundle):
    empty = Bundle(prior.generator, prior.moments, prior.codes[:0], {})
    with pytest.raises(UserError, match="no real codes"):
        instantiate(synthesis("start=facets").start)(empty, [0, 1], 0.1)
    start = instantiate(synthesis("start=facets", f"data.root={image_tree}", "start.encoder.layer=fc7").start)
    with pytest.raises(UserError, match="set network@start"):
        start(Bundle(prior.generator, prior.moments, prior.codes, {"encoder": "caffenet64", "layer": "fc6"}), [0], 0.1)


@pytest.mark.slow
def test_examples_begin_at_the_images_that_fire_a_unit_most(small_bundle, image_tree, tmp_path, synthesis):
    """The encoder is found by the bundle's record."""
    words = [f"bundle={small_bundle}", f"data.root={image_tree}", "data.workers=0", "target.input.size=16"]
    config = synthesis("start=examples", "seeds=3", "units=[0,2]", *words)
    assert (config.start["count"], config.start["best"], config.prior["max_distance"]) == (3, 3, 0.4)
    prior, target = load(config)[:2]
    start = instantiate(config.start).for_units(target, [target.units[1]] * 3)
    assert "code of one of the 3 real images" in start.describe()
    found = start(prior, [0, 1, 2], 0.0)
    faces = start.faces(prior, target)["2"]
    assert [len(face.places) for face in faces] == [1, 1, 1] and faces[0].scores >= faces[1].scores >= faces[2].scores
    assert torch.equal(found, torch.stack([face.code for face in faces]))


@pytest.mark.slow
def test_the_page_shows_the_real_images_of_each_pictures_facet(small_bundle, image_tree, tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 5, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    pictures = dgn.synthesize(
        net, [0, 2], "start=facets", "start.count=2", "start.best=8", "ascent.steps=3", "real_images=2", seeds=2,
        bundle=str(small_bundle), input={"size": 16}, output=str(tmp_path / "out"), **{"data.root": str(image_tree)},
    )  # fmt: skip
    lines = list(csv.DictReader((tmp_path / "out" / "real.csv").read_text().splitlines()))
    facets = {(line["unit"], line["facet"]) for line in lines}
    assert facets == {(unit, facet) for unit in ("0", "2") for facet in ("", "0", "1")}
    assert all((tmp_path / "out" / line["image"]).exists() for line in lines)
    assert pictures.page.read_text().count("began near th") == 4
    assert "clusters of the real codes" in pictures.page.read_text()
