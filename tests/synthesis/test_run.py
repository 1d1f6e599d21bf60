"""What is said of a batch's pictures."""

import pytest
import torch

from dgn import units
from dgn.generators import bundle
from dgn.generators.deepsim import Deepsim
from dgn.generators.moments import Moments
from dgn.networks.features import Features
from dgn.synthesis.climb import Climbed
from dgn.synthesis.run import describe, synthesize
from dgn.units.target import Target


@pytest.mark.parametrize(("value", "expected"), [(2.0, 1), (1.0, 2), (float("nan"), 7)])
def test_the_rank_of_a_unit_at_the_output(tiny, contract, value, expected):
    chosen = units.parse("3", (7,), None)
    target = Target(
        Features(tiny, "out", contract, False), chosen, lambda rows: units.Scorer(rows, units.Logit()), True
    )
    activation = torch.tensor([[1.0, 0, 0, value, 0, 0, 0]])  # an equal score counts against it
    one = torch.ones(1)
    climbed = Climbed(torch.zeros(1, 3, 4, 4), activation, torch.zeros(1, 12), torch.zeros(1, 2), one, one, one, 1.0)
    (row,) = describe(climbed, [(chosen[0], 0)], 0, target)
    assert row.rank == expected


@pytest.mark.parametrize(("start", "told"), [("noise", True), ("mean", False), ("real", False)])
def test_a_map_code_that_begins_as_noise_is_told_of_real_images(start, told, synthesis, tmp_path, capsys):
    torch.manual_seed(0)
    g = Deepsim(code_shape=(4, 8, 8), size=16, layers="shuffle3", norm=False, slope=0.2, gains={}, output="tanh",
                code_scale=1.0).eval()  # fmt: skip
    codes, moments = torch.rand(40, 4, 8, 8), Moments()
    moments.update(codes)
    bundle.save(tmp_path / "map.bundle.safetensors", g, moments, codes[:2], {"encoder": "net", "layer": "conv"})
    words = (f"bundle={tmp_path}/map.bundle.safetensors", f"start={start}", "units=[3]", "seeds=1", "ascent.steps=1")
    synthesize(synthesis(*words), tmp_path / "out", bar=False)
    assert ("set start=examples data.root=DIR" in capsys.readouterr().out) is told


def test_a_class_with_too_few_real_images_is_told(small_bundle, images_in, synthesis, tmp_path, capsys):
    for part in ("train", "val"):
        for name in ("goldfish", "lemon"):
            images_in(tmp_path / "images" / part / name, 2)
    words = (f"bundle={small_bundle}", f"data.root={tmp_path}/images", "data.workers=0", "units=[goldfish,-lemon]",
             "seeds=1", "ascent.steps=1")  # fmt: skip
    synthesize(synthesis(*words), tmp_path / "out", bar=False)
    assert "no × best real for 1 unit: it needs 100 real images of the class" in capsys.readouterr().out
